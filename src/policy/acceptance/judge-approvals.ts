/** Did enough people approve of every change that needs it? If not: of which, who can still be asked, and what he has to type. */

import { visible } from '../visible-text.ts'
import type { ApprovalTerms, Votes } from './approvals.ts'
import type { Ground } from './ground.ts'
import { allOf, listed, oneOf, type Refusal, refusal, short } from './refusal.ts'
import type { Need } from './thresholds.ts'
import type { Walk } from './walk.ts'

interface ApprovalsQuestion {
  readonly commit: string
  readonly ground: Ground
  /** Who signed the commit. */
  readonly principal: string
  readonly needs: readonly Need[]
  readonly walk: Walk
}

/** `approvedBy`: path to everybody who counted for it, the signer of the commit included. */
type ApprovalsJudgement =
  | { readonly approvedBy: Readonly<Record<string, readonly string[]>> }
  | { readonly refusal: Refusal }

export async function judgeApprovals(question: ApprovalsQuestion): Promise<ApprovalsJudgement> {
  const { needs } = question
  if (needs.length === 0) return { approvedBy: {} }
  const votesFor = await ballot(question)
  const approvedBy = new Map<string, Set<string>>()
  const missing: Missing[] = []
  for (const need of needs) {
    const tally = tallyOf(need, question.principal, votesFor)
    await question.walk.pause?.()
    const names = approvedBy.get(need.path) ?? new Set<string>()
    for (const name of tally.counted) names.add(name)
    approvedBy.set(need.path, names)
    if (tally.counted.length < need.threshold.threshold) missing.push({ need, ...tally })
  }
  if (missing.length === 0)
    return {
      approvedBy: Object.fromEntries(
        [...approvedBy].map(([path, names]) => [path, [...names].toSorted()]),
      ),
    }
  return { refusal: await missingApprovals(missing, question) }
}

interface Tally {
  /** Distinct principals of the threshold's own list. */
  readonly counted: readonly string[]
  readonly uncounted: readonly string[]
}

interface Missing extends Tally {
  readonly need: Need
}

type VotesFor = (need: Need) => Votes

/** The signature under the commit is itself enough where one is asked for: then no approvals are read. */
async function ballot({
  commit,
  ground,
  needs,
  principal,
  walk,
}: ApprovalsQuestion): Promise<VotesFor> {
  const none: Votes = { principals: new Set(), uncounted: [] }
  const isMetBySigner = needs.every(
    (need) => tallyOf(need, principal, () => none).counted.length >= need.threshold.threshold,
  )
  if (isMetBySigner) return () => none
  const shelf = await walk.approvals()
  const terms: ApprovalTerms = { ground, seenWith: await seenWith(commit, walk) }
  return (need) => shelf.votesFor(need, terms)
}

/** An approval that waited until after its end, or its key's, does not count because the change was seen earlier. */
async function seenWith(commit: string, walk: Walk): Promise<(file: string) => Date> {
  const brought = await walk.broughtAt()
  const own = await walk.seen(commit)
  return (file) => {
    const at = brought(file)
    return at && at > own ? at : own
  }
}

function tallyOf({ threshold, ...need }: Need, signer: string, votesFor: VotesFor): Tally {
  const { principals, uncounted } = votesFor({ threshold, ...need })
  const voters = new Set(principals)
  if (threshold.excludeAuthor) voters.delete(signer)
  else voters.add(signer)
  return { counted: threshold.principals.filter((name) => voters.has(name)), uncounted }
}

async function missingApprovals(
  missing: readonly Missing[],
  { commit, principal, walk }: ApprovalsQuestion,
): Promise<Refusal> {
  const mistakes = []
  for (const one of missing.slice(0, MOST_TOLD)) {
    const { path } = one.need
    const later = await walk.changedAfter(commit, path)
    mistakes.push({
      file: path,
      line: 1,
      column: 1,
      message: [wanted(one, principal), asked(one, principal), again(later), ignored(one.uncounted)]
        .filter((part) => part !== '')
        .join(' '),
    })
  }
  const more = missing.length - mistakes.length
  return refusal({
    condition: 'ApprovalMissing',
    commit,
    message: `commit ${short(commit)}, signed by ${principal}, waits for approvals:\n${listed([
      ...mistakes.map(({ file, message }) => `${visible(file)} ${message}`),
      ...(more > 0 ? [`and ${more} more files like these`] : []),
    ])}`,
    mistakes,
  })
}

const MOST_TOLD = 15

/** `needs 2 of alice, bob and carol (spec.approvals.rules in trust/root.yaml) and has 1: alice signed the commit.` */
function wanted({ need, counted }: Missing, signer: string): string {
  const { threshold, setting, sha256, generation } = need
  const what = sha256 === 'deleted' ? 'its deletion' : `sha256 ${sha256.slice(0, 12)}...`
  const has =
    counted.length === 0
      ? 'has none'
      : `has ${counted.length}: ${allOf(counted.map((name) => (name === signer ? `${name}, who signed the commit` : name)))}`
  return `(${what}, generation ${generation}) needs ${threshold.threshold} of ${allOf(threshold.principals)} (${setting} in trust/root.yaml${threshold.excludeAuthor ? ', the signer of the commit not counted' : ''}) and ${has}.`
}

function asked({ need, counted }: Missing, signer: string): string {
  const { threshold, path, sha256 } = need
  const open = threshold.principals.filter(
    (name) => !counted.includes(name) && !(threshold.excludeAuthor && name === signer),
  )
  const missing = threshold.threshold - counted.length
  if (open.length < missing)
    return 'Nobody is left who could be asked: let somebody else sign the commit, or lower the threshold.'
  const who = missing === 1 ? oneOf(open) : `${missing} of ${allOf(open)}`
  return `Let ${who} run \`vouchsafe policy approve ${quoted(path)}${sha256 === 'deleted' ? ' --delete' : ''} --key ~/.ssh/id_ed25519\` in a clone, then commit on top what it writes under approvals/, and push.`
}

/** Whoever approves in a clone approves what lies there now. */
function again(later: readonly string[]): string {
  return later.length === 0
    ? ''
    : `Commit ${short(later.at(-1) ?? '')} changes it again, and each content needs its own approvals: join the commits into one before anybody approves.`
}

function ignored(uncounted: readonly string[]): string {
  if (uncounted.length === 0) return ''
  const rest = uncounted.length - MOST_IGNORED
  return `Not counted: ${uncounted.slice(0, MOST_IGNORED).join('; ')}${rest > 0 ? `; and ${rest} more` : ''}.`
}

const MOST_IGNORED = 4

/** As a shell reads it, so that the command can be copied. */
function quoted(path: string): string {
  return /^[\w./@+-]+$/.test(path) && !path.startsWith('-')
    ? path
    : `'${visible(path).replaceAll("'", `'\\''`)}'`
}
