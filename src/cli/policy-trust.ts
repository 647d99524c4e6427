/** Who may sign and approve, by the working folder as it is. Throws Mistake where its trust files cannot be read. */

import { type RevokedEntries, readRevokedEntries } from '../policy/acceptance/revoked-entries.ts'
import { readTrustFiles, type TrustFiles } from '../policy/documents/trust-files.ts'
import { mistakeText, type PolicyFile } from '../policy/policy.ts'
import type { SignerTerms } from '../policy/signatures/signer.ts'
import { Mistake } from './arguments.ts'

export function readWorkingTrust(files: readonly PolicyFile[]): TrustFiles {
  const reading = readTrustFiles(files)
  if ('trust' in reading) return reading.trust
  throw new Mistake(
    `this folder's trust files cannot be read: ${reading.mistakes.map(mistakeText).join('; ')}.`,
    'Run it at the top of a policy repository, or name one with --repository; `vouchsafe policy lint` lists every mistake.',
  )
}

/** How signatures that lie in this folder are judged now. */
export async function termsNow(
  files: readonly PolicyFile[],
  { signers: trust }: TrustFiles,
  at: Date,
): Promise<SignerTerms> {
  return { trust, at, revoked: (await revokedIn(files)).signerKeys }
}

export async function revokedIn(files: readonly PolicyFile[]): Promise<RevokedEntries> {
  // Nobody else waits for this process.
  return await readRevokedEntries(files, undefined)
}
