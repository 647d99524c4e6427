/** Which statement is signed: one that waits here for a further signature, or a new one? And whose signature is it then? */

import type { Statement } from '../policy/acceptance/approval-statement.ts'
import { readStatement, statementText } from '../policy/acceptance/approval-statement.ts'
import type { PolicyFile } from '../policy/policy.ts'
import { principalOf } from '../policy/signatures/allowed-signers.ts'
import { principalMistake } from '../policy/signatures/principal.ts'
import {
  type ApprovalSignature,
  approversOf,
  type SignerTerms,
} from '../policy/signatures/signer.ts'
import { readSshSignature } from '../policy/signatures/ssh-signature.ts'
import { Mistake } from './arguments.ts'

export interface Pending {
  readonly statement: Statement
  /** What is signed. */
  readonly bytes: Uint8Array
  /** Principals whose signatures under it count already. */
  readonly approvedBy: readonly string[]
}

export interface PendingTerms {
  readonly files: readonly PolicyFile[]
  readonly terms: SignerTerms
  /** Only a statement that ends just then will do; undefined: any that has not ended. */
  readonly end: Date | undefined
}

/** The one with the most approvals, so that signatures meet under one statement. */
export function pendingFor(wanted: Statement, { files, terms, end }: PendingTerms): Pending {
  const fresh = Buffer.from(statementText(wanted))
  const waiting = files.flatMap(({ path, bytes }): Pending[] => {
    if (!/^approvals\/[0-9a-f]{64}\/statement\.json$/.test(path)) return []
    const reading = readStatement(bytes)
    if ('mistake' in reading) return []
    const { statement } = reading
    const isSame = statementText({ ...statement, notAfter: wanted.notAfter }) === fresh.toString()
    const isOpen = end
      ? statement.notAfter.getTime() === end.getTime()
      : statement.notAfter > terms.at
    if (!isSame || !isOpen) return []
    const signatures = signaturesBeside(path, files)
    const { principals } = approversOf(bytes, signatures, terms)
    return [{ statement, bytes, approvedBy: [...principals] }]
  })
  const [most] = waiting.toSorted((a, b) => b.approvedBy.length - a.approvedBy.length)
  return most ?? { statement: wanted, bytes: new Uint8Array(fresh), approvedBy: [] }
}

function signaturesBeside(
  statement: string,
  files: readonly PolicyFile[],
): readonly ApprovalSignature[] {
  const folder = statement.slice(0, -'statement.json'.length)
  return files.flatMap(({ path, bytes }) =>
    path.startsWith(folder) && path.endsWith('.sig')
      ? [{ principal: path.slice(folder.length, -'.sig'.length), armored: bytes }]
      : [],
  )
}

/** The key says who signed: taken from the signature itself, so that no other key can be meant. Throws Mistake. */
export function principalBehind(
  armored: Uint8Array,
  { terms, as }: { readonly terms: SignerTerms; readonly as: string | undefined },
): string {
  const { key, namespace } = readSshSignature(armored)
  const { allowed } = terms.trust
  const known = allowed.byFingerprint.has(key.fingerprint)
  const signer = principalOf(allowed, { key, namespace, ...terms })
  if ('principal' in signer) {
    if (as === undefined || as === signer.principal) return signer.principal
    throw new Mistake(
      `--as ${as}: trust/allowed_signers says that this key is ${signer.principal}'s.`,
      `Leave --as out, or sign with the key of ${as}.`,
    )
  }
  const wrong = as === undefined ? undefined : principalMistake(as)
  if (known || as === undefined || wrong !== undefined)
    throw new Mistake(
      `this approval would count for nothing: ${wrong ?? signer.refusal}.`,
      'Use a key that trust/allowed_signers lists for approvals; where that file is just being changed, say who you are with --as.',
    )
  return as
}
