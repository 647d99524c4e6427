/**
 * Is the history of accepted policies whole, and does it end in the policy that the database calls accepted? Each link's
 * hash covers the link before it, so a row that was changed, taken out or put in between shows.
 *
 * What this does not show: somebody who may write to the database can also compute a whole new chain, and a database that
 * was restored from a backup has a chain that is whole and too short. The second shows in the clone, which outlives the
 * database (policy-restoration.ts). Against the first helps only what others hold: the transparency log will carry every
 * link as a leaf whose root is signed and witnessed, and then the last link must be in it.
 */
import { createHash } from 'node:crypto'
import type { AcceptedState } from '../policy/acceptance/acceptance.ts'
import { canonicalJson } from '../rats/canonical-json.ts'
import type { AcceptanceLink, PolicyRecord } from './policy-ports.ts'

/** Before the first. */
const NOTHING = '0'.repeat(64)

/** The link that a store adds when it makes `record` the tenant's policy. */
export function linkAfter(
  last: AcceptanceLink | undefined,
  { tenant, sequence, commit, digest, acceptedAt, ...state }: PolicyRecord,
): AcceptanceLink {
  const stateDigest = stateDigestOf(state)
  const previous = last?.hash ?? NOTHING
  const link = { tenant, sequence, commit, digest, stateDigest, acceptedAt, previous }
  return { ...link, hash: hashOf(link) }
}

/** A sentence about the first thing that is wrong; undefined when nothing is. `links` are all of one tenant, the oldest first. */
export function chainFault(
  links: readonly AcceptanceLink[],
  record: PolicyRecord | undefined,
): string | undefined {
  let last: AcceptanceLink | undefined
  for (const link of links) {
    const expected = (last?.sequence ?? 0) + 1
    if (link.sequence !== expected)
      return `acceptance ${expected} is missing from the history, which goes on with ${link.sequence}`
    if (link.previous !== (last?.hash ?? NOTHING))
      return `acceptance ${link.sequence} does not follow the one before it`
    if (link.hash !== hashOf(link)) return `acceptance ${link.sequence} was altered`
    last = link
  }
  return endFault(last, record)
}

function endFault(
  last: AcceptanceLink | undefined,
  record: PolicyRecord | undefined,
): string | undefined {
  if (!last && !record) return undefined
  if (!record) return `the history has ${last?.sequence} acceptances, and no policy is accepted`
  if (!last) return `commit ${record.commit} is called accepted, and the history is empty`
  if (last.sequence !== record.sequence)
    return `the history ends at acceptance ${last.sequence}, and the accepted policy is number ${record.sequence}`
  const { commit, digest, acceptedAt, ...state } = record
  const agrees =
    last.commit === commit &&
    last.digest === digest &&
    last.acceptedAt.getTime() === acceptedAt.getTime() &&
    last.stateDigest === stateDigestOf(state)
  return agrees
    ? undefined
    : `acceptance ${last.sequence} is of commit ${last.commit}, and the policy that is called accepted (${commit}) has other contents or marks`
}

function hashOf(link: Omit<AcceptanceLink, 'hash'>): string {
  const { tenant, sequence, commit, digest, stateDigest, acceptedAt, previous } = link
  const text = canonicalJson({
    kind: 'vouchsafe/policy-acceptance/v1',
    tenant,
    sequence: String(sequence),
    commit,
    digest,
    stateDigest,
    acceptedAt: acceptedAt.toISOString(),
    previous,
  })
  return createHash('sha256').update(text).digest('hex')
}

/** High-water marks and provenance: changing either in the database would change what the next commit is judged by. */
export function stateDigestOf({
  marks,
  provenance,
}: Pick<AcceptedState, 'marks' | 'provenance'>): string {
  const text = JSON.stringify([
    byPath(marks),
    byPath(provenance).map(([path, { commit, principal }]) => [path, commit, principal ?? null]),
  ])
  return createHash('sha256').update(text).digest('hex')
}

function byPath<T>(entries: Readonly<Record<string, T>>): readonly (readonly [string, T])[] {
  return Object.entries(entries).toSorted(([a], [b]) => (a < b ? -1 : 1))
}
