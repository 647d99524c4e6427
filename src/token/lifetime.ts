/** How long may a token live? As long as its rule says, and never longer than its form allows. */
import type { TokenForm } from '../rats/release.ts'

/**
 * Federation: whoever takes one asks nobody whether it still holds, and SPIRE and AWS use 300 s as well. The others are
 * worth nothing without the attested key, and their holders can be asked to attest again.
 */
const LONGEST_SECONDS: Readonly<Record<TokenForm, number>> = {
  federation: 300,
  possession: 15 * 60,
  workload: 15 * 60,
}

/** A running session attests again and again: what it gets need not outlive one interval by much. */
const LONGEST_IN_SESSION_SECONDS = 120

export function lifetimeSeconds(
  form: TokenForm,
  { ruleSeconds, session }: { readonly ruleSeconds: number; readonly session: string },
): number {
  const longest = LONGEST_SECONDS[form]
  return Math.min(
    ruleSeconds,
    session === '' ? longest : Math.min(longest, LONGEST_IN_SESSION_SECONDS),
  )
}
