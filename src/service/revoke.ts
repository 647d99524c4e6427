/**
 * `POST /v1/revocations`, and whatever else decides that tokens hold no longer: every live token of a selection, each with
 * its leaf of the log and its event. Who is revoked twice is revoked once.
 */
import { revocationLeaf } from './log-leaves.ts'
import type { Revocation, TokenRecord, TokenSelection } from './token-ports.ts'
import type { Verifier } from './verifier.ts'

export interface RevocationRequest extends Omit<Revocation, 'at'> {
  readonly tenant: string
  readonly selection: TokenSelection
}

export interface Revoked {
  readonly count: number
  /** The first MOST_NAMED of them. */
  readonly jtis: readonly string[]
}

export type Revoking = Pick<Verifier, 'store' | 'random' | 'journal' | 'events'>

export const MOST_NAMED = 1000
/** What the store reads at once, and revokes in one transaction. */
const PAGE = 1000
/**
 * Tokens that were being issued meanwhile have ids that may lie behind what was looked at; whoever issues without end is
 * for the policy to stop.
 */
const MOST_PASSES = 4

/** Throws Problem('storage-unavailable'): what was revoked until then stays revoked, and the same request does the rest. */
export async function revokeSelection(
  verifier: Revoking,
  { tenant, selection, ...why }: RevocationRequest,
  at: Date,
): Promise<Revoked> {
  const revocation: Revocation = { ...why, at }
  const jtis: string[] = []
  let count = 0
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const before = count
    for await (const page of livePages(verifier, { tenant, selection, at })) {
      const fallen = await revokePage(verifier, page, revocation)
      count += fallen.length
      jtis.push(...fallen.slice(0, MOST_NAMED - jtis.length).map(({ jti }) => jti))
      report(verifier, { tenant, ...selection }, { revocation, count: fallen.length })
    }
    if (count === before) break
  }
  if (count > 0) await announce(verifier)
  return { count, jtis }
}

/** Those of `tokens` that still live at the revocation's time, however many; resolves to how many they were. */
export async function revokeTokens(
  verifier: Revoking,
  tokens: readonly TokenRecord[],
  revocation: Revocation,
): Promise<number> {
  const [first] = tokens
  if (!first) return 0
  let count = 0
  for (let from = 0; from < tokens.length; from += PAGE)
    count += (await revokePage(verifier, tokens.slice(from, from + PAGE), revocation)).length
  report(verifier, { tenant: first.tenant, detail: revocation.detail }, { revocation, count })
  if (count > 0) await announce(verifier)
  return count
}

/** The live tokens of a tenant, in pages. */
export async function* livePages(
  { store }: Pick<Verifier, 'store'>,
  {
    tenant,
    selection,
    at,
  }: { readonly tenant: string; readonly selection: TokenSelection; readonly at: Date },
): AsyncGenerator<readonly TokenRecord[]> {
  let after: string | undefined
  for (;;) {
    const page = await store.liveTokens(tenant, { at, selection, limit: PAGE, after })
    if (page.length > 0) yield page
    if (page.length < PAGE) return
    after = page.at(-1)?.jti
  }
}

async function revokePage(
  { store, random }: Revoking,
  tokens: readonly TokenRecord[],
  revocation: Revocation,
): Promise<readonly TokenRecord[]> {
  return await store.revokeTokens(
    tokens.map(({ jti }) => jti),
    revocation,
    (token) => revocationLeaf(token, revocation, random),
  )
}

function report(
  { journal }: Revoking,
  about: Readonly<Record<string, string>>,
  {
    revocation: { at, reason, by },
    count,
  }: { readonly revocation: Revocation; readonly count: number },
): void {
  if (count > 0)
    journal.record({ event: 'tokens.revoked', at, fields: { ...about, reason, by, count } })
}

/** This replica's status lists and streams need not wait for the next look; the others hear of it at theirs. */
async function announce({ events }: Revoking): Promise<void> {
  // What is revoked is revoked: a look that fails is tried again by the chore.
  await events.poll().catch(() => {})
}
