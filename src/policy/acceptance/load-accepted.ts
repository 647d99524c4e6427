/** Is what the clone holds under the name of the last accepted commit still what was accepted? Then it is the policy again. */

import { mistakeText, type Policy, policyDigest, readPolicy } from '../policy.ts'
import type { AcceptanceRequest, AcceptedState } from './acceptance.ts'
import { listed, short } from './refusal.ts'
import { alteredText } from './start.ts'

/**
 * After a restart: nothing is judged again, for the database vouches for the digest. `message`: a sentence. Throws
 * HistoryFault where the clone cannot be read, so that nobody can tell.
 */
export async function loadAccepted(
  state: AcceptedState,
  { history, reading }: Pick<AcceptanceRequest, 'history' | 'reading'>,
): Promise<{ readonly policy: Policy } | { readonly message: string }> {
  const { commit, digest, provenance } = state
  const files = await history.filesOf(commit)
  const observed = policyDigest(files)
  if (observed !== digest) return { message: alteredText({ commit, observed, expected: digest }) }
  const read = await readPolicy(files, { ...reading, commit, provenance })
  if ('policy' in read) return read
  return {
    message: `commit ${short(commit)} was accepted before, and this version of the program refuses it. Go back to the version that accepted it, or push a commit that it accepts:\n${listed(read.mistakes.map(mistakeText))}`,
  }
}
