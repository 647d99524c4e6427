/**
 * Which tokens rest on evidence that would not pass any more? Evidence is judged again, what lives first, and the tokens of
 * what fell are revoked. To do it twice, or on two replicas at once, revokes nothing twice.
 */

import { Problem } from '../problems.ts'
import type { AppraisalPlace, AppraisalRecord } from './ports.ts'
import { livePages, type Revoking, revokeTokens } from './revoke.ts'
import { type Aspect, type Judging, type Standing, standingOf } from './standing.ts'
import type { TokenRecord } from './token-ports.ts'
import type { Verifier } from './verifier.ts'

export interface LiveReappraisal extends Omit<Judging, 'verifier'> {
  readonly verifier: Revoking & Pick<Verifier, 'proofs' | 'pause'>
  /** Name of the operator, or of what decided. */
  readonly by: string
  /** `live`: what live tokens rest on. A date: all that is kept of what was granted since then. */
  readonly scope: 'live' | Date
  /** What need not be looked at. Default: nothing. */
  readonly settled?: Settled
  /** Of `live`, by the id of the appraisal: what is there already is left out, and what is looked at is added. */
  readonly examined?: Map<string, Examined>
  /** Asked before each piece of evidence: no more of it is judged, and what was is told and revoked. */
  readonly isOver?: () => boolean
  /** What would fall is told, and stays. */
  readonly isDryRun?: boolean
}

export interface Settled {
  readonly token: (token: TokenRecord) => boolean
  readonly record: (record: AppraisalRecord) => boolean
}

export interface Examined extends Agent {
  /** `settled`: there was nothing to judge. */
  readonly standing: Standing['standing'] | 'settled'
}

export interface Agent {
  readonly environment: string
  readonly agent: string
}

export type LiveStep =
  | ({ readonly kind: 'progress' } & LiveProgress)
  | ({ readonly kind: 'fallen' } & FallenEvidence)

export interface LiveProgress {
  readonly examined: number
  readonly unexaminable: number
  readonly fallen: number
  /** Tokens. */
  readonly revoked: number
  /** How much of the way is done, 0 to 1; undefined where nobody knows how long it is. */
  readonly share: number | undefined
}

export interface FallenEvidence {
  readonly appraisal: string
  readonly environment: string
  readonly agent: string
  readonly reason: Aspect
  readonly failing: readonly string[]
  /** How many of its tokens are live. */
  readonly live: number
}

/** A piece of evidence takes a millisecond or three: requests that came in meanwhile go first after so many. */
const RECORDS_PER_TURN = 4
const RECORDS_PER_PAGE = 32
/** Ids that are remembered: 60 MB. What is forgotten is looked at again. */
const MOST_REMEMBERED = 200_000

/** Yields after each page of records; whoever asks no further ends it. Throws Problem('storage-unavailable'). */
export async function* reappraiseLive(request: LiveReappraisal): AsyncGenerator<LiveStep> {
  const examined = request.examined ?? new Map<string, Examined>()
  const judge = judgeOf(request)
  let progress: LiveProgress = { examined: 0, unexaminable: 0, fallen: 0, revoked: 0, share: 0 }
  for await (const { records, unreadable, share } of pagesOf(request, examined)) {
    progress = { ...progress, unexaminable: progress.unexaminable + unreadable }
    const judged = new Map<string, Examined>()
    const fallen: Fallen[] = []
    for (const [place, record] of records.entries()) {
      if (place % RECORDS_PER_TURN === 0) await request.verifier.pause()
      if (request.isOver?.()) break
      const standing = await judge(record)
      progress = counted(progress, standing)
      const { id, environment, agent } = record
      judged.set(id, { environment, agent, standing: standing.standing })
      if (standing.standing === 'fallen') fallen.push(await fallenOf(record, standing, request))
    }
    const revoked = request.isDryRun ? 0 : await revokeFallen(fallen, request)
    // Not before: what was judged and not revoked is judged again the next time.
    if (request.scope === 'live') for (const [id, each] of judged) examined.set(id, each)
    progress = { ...progress, revoked: progress.revoked + revoked, share }
    for (const { tokens: _, ...told } of fallen) yield { kind: 'fallen', ...told }
    yield { kind: 'progress', ...progress }
  }
}

/** One piece of evidence over which this program fails must not keep the others from being judged. The first is told. */
function judgeOf(request: LiveReappraisal): (record: AppraisalRecord) => Promise<Standing> {
  const { verifier, at } = request
  let isTold = false
  return async (record) => {
    try {
      return await standingOf(record, request)
    } catch (cause) {
      if (cause instanceof Problem && cause.code === 'storage-unavailable') throw cause
      if (!isTold) verifier.journal.record({ event: 'request.failed', at, cause })
      isTold = true
      return { standing: 'unexaminable', why: 'this program failed over it' }
    }
  }
}

interface Fallen extends FallenEvidence {
  readonly tokens: readonly TokenRecord[]
}

interface RecordPage {
  readonly records: readonly AppraisalRecord[]
  /** How many there are besides that nobody can read. */
  readonly unreadable: number
  readonly share: number | undefined
}

async function* pagesOf(
  request: LiveReappraisal,
  examined: Map<string, Examined>,
): AsyncGenerator<RecordPage> {
  if (request.scope === 'live') yield* livingPages(request, examined)
  else yield* storedPages(request, request.scope)
}

/**
 * The ids first, then the records a few at a time: a page of tokens may rest on a thousand pieces of evidence. One that cannot be
 * read, since somebody altered it perhaps, keeps no other from being judged; but without it this came to no end, and throws.
 */
async function* livingPages(
  { verifier: { store }, tenant, at, settled }: LiveReappraisal,
  examined: Map<string, Examined>,
): AsyncGenerator<RecordPage> {
  let unread: PromiseRejectedResult | undefined
  for await (const page of livePages({ store }, { tenant: tenant.name, selection: {}, at })) {
    const unsettled = page.filter(
      (token) => !examined.has(token.appraisal) && !settled?.token(token),
    )
    const tokens = new Map(unsettled.map((token) => [token.appraisal, token]))
    for (const some of inPages([...tokens.values()])) {
      const found = await Promise.allSettled(
        some.map(async ({ appraisal }) => await store.findAppraisal(appraisal)),
      )
      const records: AppraisalRecord[] = []
      if (examined.size > MOST_REMEMBERED) examined.clear()
      for (const [place, { appraisal, environment, agent }] of some.entries()) {
        const answer = found[place]
        if (answer?.status === 'rejected') {
          unread ??= answer
          continue
        }
        const record = answer?.value
        if (record && !settled?.record(record)) records.push(record)
        else examined.set(appraisal, { environment, agent, standing: 'settled' })
      }
      yield { records, unreadable: 0, share: undefined }
    }
  }
  if (unread) throw unread.reason
}

async function* storedPages(
  { verifier: { store }, tenant, at }: LiveReappraisal,
  since: Date,
): AsyncGenerator<RecordPage> {
  let before: AppraisalPlace | undefined
  do {
    const page = await store.appraisalsOf(tenant.name, { since, limit: RECORDS_PER_PAGE, before })
    before = page.next
    if (page.records.length + page.unreadable.length > 0)
      yield {
        records: page.records.filter(({ verdict }) => verdict === 'issued'),
        unreadable: page.unreadable.length,
        share: before ? shareOf(before.at, { since, at }) : 1,
      }
  } while (before)
}

/** Evidence is kept for a month (retention.ts), whatever was asked for. */
const KEPT_MS = 30 * 24 * 3600_000

/** From now back to `since`, as time and not as work: how much there is before a date, nobody counts. */
function shareOf(
  reached: Date,
  { since, at }: { readonly since: Date; readonly at: Date },
): number {
  const whole = Math.min(at.getTime() - since.getTime(), KEPT_MS)
  const done = at.getTime() - reached.getTime()
  return whole <= 0 ? 1 : Math.min(1, Math.max(0, done / whole))
}

function inPages<T>(all: readonly T[]): readonly (readonly T[])[] {
  const pages: T[][] = []
  for (let from = 0; from < all.length; from += RECORDS_PER_PAGE)
    pages.push(all.slice(from, from + RECORDS_PER_PAGE))
  return pages
}

function counted(progress: LiveProgress, { standing }: Standing): LiveProgress {
  switch (standing) {
    case 'holds':
      return { ...progress, examined: progress.examined + 1 }
    case 'fallen':
      return { ...progress, examined: progress.examined + 1, fallen: progress.fallen + 1 }
    case 'unexaminable':
      return { ...progress, unexaminable: progress.unexaminable + 1 }
  }
}

async function fallenOf(
  { id, environment, agent }: AppraisalRecord,
  { reason, failing }: Extract<Standing, { readonly standing: 'fallen' }>,
  { verifier, at }: LiveReappraisal,
): Promise<Fallen> {
  const all = await verifier.store.tokensOf(id)
  const tokens = all.filter(({ revocation, expiresAt }) => !revocation && expiresAt > at)
  return { appraisal: id, environment, agent, reason, failing, live: tokens.length, tokens }
}

const MOST_CHECKS_TOLD = 5

/** Of one page together, those that fell for the same reason in one transaction. */
async function revokeFallen(
  fallen: readonly Fallen[],
  { verifier, policy, at, by }: LiveReappraisal,
): Promise<number> {
  const sentence = ({ reason, failing }: Fallen) => {
    const told = failing.slice(0, MOST_CHECKS_TOLD).join(', ')
    return reason === 'policy'
      ? `policy ${policy.commit.slice(0, 12)} refuses the evidence: ${told}`
      : `by what the vendor says now the evidence is refused: ${told}`
  }
  let revoked = 0
  for (const [detail, group] of Map.groupBy(fallen, sentence)) {
    const [first] = group
    if (!first) continue
    const tokens = group.flatMap((each) => each.tokens)
    revoked += await revokeTokens(verifier, tokens, { at, by, detail, reason: first.reason })
  }
  return revoked
}
