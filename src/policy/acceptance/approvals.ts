/**
 * Who approved exactly this? Statements are looked at only when something needs them, and the signatures of each are
 * verified once for the same keys and times.
 */

import { type Approvers, approversOf, dsseApprovers } from '../signatures/signer.ts'
import { visible } from '../visible-text.ts'
import type { ApprovalFolder, ApprovalFolders } from './approval-folders.ts'
import type { ApprovalStatement, ResetStatement } from './approval-statement.ts'
import type { Ground } from './ground.ts'

/** By whose keys and at which times signatures are judged. */
export interface ApprovalTerms {
  /** Of the commit that needs the approval: its parent's. */
  readonly ground: Ground
  /** From when on the verifier had seen both what needs approval and this file of approvals/. */
  readonly seenWith: (file: string) => Date
}

export interface Approvable {
  readonly path: string
  /** 64 hex digits, or `deleted`. */
  readonly sha256: string
  readonly generation: number
}

export interface Votes {
  readonly principals: ReadonlySet<string>
  /** Sentences about what lies there and does not count. */
  readonly uncounted: readonly string[]
}

export interface SignedReset {
  readonly statement: ResetStatement
  readonly votes: Votes
}

export interface ApprovalShelf {
  readonly votesFor: (what: Approvable, terms: ApprovalTerms) => Votes
  /** Resets of this very repository that begin at `from`, whoever signed them. */
  readonly resetsFrom: (from: string, terms: ApprovalTerms) => readonly SignedReset[]
}

export function approvalShelf({ approvals, resets, unreadable }: ApprovalFolders): ApprovalShelf {
  const byPath = Map.groupBy(approvals, ({ statement }) => statement.path)
  const judged = new Map<string, Votes>()
  // Every file that misses an approval is told of them.
  const told = unreadable.slice(0, MOST_TOLD)

  /** One commit is judged after another, so that its parent also says by which trust files and at which times. */
  function votesOf(folder: ApprovalFolder, terms: ApprovalTerms): Votes {
    const key = `${folder.path} ${terms.ground.commit}`
    const votes = judged.get(key) ?? countVotes(folder, terms)
    judged.set(key, votes)
    return votes
  }

  return {
    votesFor(what, terms) {
      const { repository } = terms.ground.trust.root
      const principals = new Set<string>()
      const uncounted: string[] = []
      let verified = 0
      for (const folder of byPath.get(what.path) ?? []) {
        const other = mismatch(folder.statement, { ...what, repository })
        if (other !== undefined) uncounted.push(`${folder.path} ${other}`)
        else if (++verified > MOST_STATEMENTS)
          uncounted.push(`${folder.path} is one of more than ${MOST_STATEMENTS} like it`)
        else {
          const votes = votesOf(folder, terms)
          for (const principal of votes.principals) principals.add(principal)
          uncounted.push(...votes.uncounted)
        }
      }
      return { principals, uncounted: [...uncounted, ...told] }
    },
    resetsFrom(from, terms) {
      const { repository } = terms.ground.trust.root
      return resets
        .filter(({ statement }) => statement.from === from && statement.repository === repository)
        .slice(0, MOST_STATEMENTS)
        .map((folder) => ({ statement: folder.statement, votes: votesOf(folder, terms) }))
    },
  }
}

/** For the same content or the same reset: whoever writes thousands wants signatures to be verified without end. */
const MOST_STATEMENTS = 16
const MOST_TOLD = 4

/** A clause that says for what else it is; undefined: for exactly this. */
function mismatch(
  statement: ApprovalStatement,
  { repository, sha256, generation }: Approvable & { readonly repository: string },
): string | undefined {
  if (statement.repository !== repository)
    return `is for the repository ${visible(statement.repository)}, not ${repository}`
  if (statement.sha256 !== sha256)
    return `is for ${content(statement.sha256)}, not for ${content(sha256)}`
  if (statement.generation !== generation)
    return `is for generation ${statement.generation}, not ${generation}`
  return undefined
}

function content(sha256: string): string {
  return sha256 === 'deleted' ? 'the deletion' : `content of sha256 ${sha256.slice(0, 12)}...`
}

function countVotes(folder: ApprovalFolder, { ground, seenWith }: ApprovalTerms): Votes {
  const { path, statement, bytes, source, signatures, envelope } = folder
  const keys = { trust: ground.trust.signers, revoked: ground.revoked.signerKeys }
  const principals = new Set<string>()
  const uncounted: string[] = []
  const count = (file: string, judge: (at: Date) => Approvers): void => {
    // The later of the two: a signature that waited for its statement may have ended meanwhile.
    const at = later(seenWith(`${path}${source}`), seenWith(`${path}${file}`))
    if (at > statement.notAfter) {
      uncounted.push(
        `${path}${visible(file)} ended at ${statement.notAfter.toISOString()}, and was first seen together with what it approves at ${at.toISOString()}`,
      )
      return
    }
    const { principals: found, faults } = judge(at)
    for (const principal of found) principals.add(principal)
    uncounted.push(...faults.map((fault) => `${path}${fault}`))
  }
  for (const signature of signatures)
    count(`${signature.principal}.sig`, (at) => approversOf(bytes, [signature], { ...keys, at }))
  if (envelope) count('dsse.json', (at) => dsseApprovers(envelope, { ...keys, at }))
  return { principals, uncounted }
}

function later(one: Date, other: Date): Date {
  return new Date(Math.max(one.getTime(), other.getTime()))
}
