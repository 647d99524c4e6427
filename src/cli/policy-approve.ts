/** `vouchsafe policy approve`: somebody's signature under exactly this content of exactly this file, beside the others'. */
import { join } from 'node:path'
import { APPROVAL_NAMESPACE } from '../policy/acceptance/approval-statement.ts'
import type { TrustFiles } from '../policy/documents/trust-files.ts'
import { sha256 } from '../policy/policy-digest.ts'
import { YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import { type Approvable, approvableOf, resetOf } from './policy-approvable.ts'
import { approvalText } from './policy-approval-text.ts'
import type { PolicyDeps, WorkingFolder } from './policy-deps.ts'
import { pendingFor, principalBehind } from './policy-pending.ts'
import { endOf } from './policy-terms.ts'
import { readWorkingTrust, termsNow } from './policy-trust.ts'

const options = {
  key: { type: 'string' },
  as: { type: 'string' },
  'not-after': { type: 'string' },
  repository: { type: 'string' },
  delete: { type: 'boolean' },
  reset: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe policy approve PATH...: sign an approval of each file as it is in the working folder

  PATH                   file of the repository, from its top
  --key FILE             your private key, or the public one where an agent or a security key holds the private one
  --as PRINCIPAL         who you are, where trust/allowed_signers of this folder does not say (it is being changed)
  --not-after WHEN       until when the change may land: RFC 3339, or a duration from now (default: 30d)
  --repository DIR       top of the working folder (default: .)
  --delete               approve that the file is gone
  --reset FROM TO        approve instead that the branch goes on from commit TO, although FROM was accepted
  --json                 print {principal, approvals: [{path, sha256, generation, notAfter, statement, signature, needs}]}

Writes approvals/<sha256>/statement.json and <principal>.sig, signed by \`ssh-keygen -Y sign\`. Where somebody approved the same
content already, your signature joins his. Commit both files with the change or after it, in the same push.
Exits 0 (signed) or 1 (could not).

Examples:
  vouchsafe policy approve agents/prod/invoice-bot.yaml --key ~/.ssh/id_ed25519
  vouchsafe policy approve --reset 1f9a... 7c02... --key ~/.ssh/id_ed25519.pub
`

export async function approvePolicy(args: readonly string[], deps: PolicyDeps): Promise<number> {
  const { values, positionals } = parseArguments('policy approve', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const { key, json = false } = values
  if (key === undefined)
    throw new Mistake(
      '--key is missing: an approval is a signature.',
      'Name your key with --key FILE.',
    )
  const now = deps.now()
  const notAfter = endOf('not-after', values['not-after'] ?? '30d', now)
  if (notAfter <= now)
    throw new Mistake('--not-after lies in the past.', 'Give a later instant, or a duration.')
  const folder = await deps.openWorkingFolder(values.repository ?? '.')
  const trust = readWorkingTrust(await folder.files())
  const wanted = values.reset
    ? [await resetOf(positionals, { folder, trust, notAfter })]
    : await approvableOf(positionals, {
        folder,
        trust,
        notAfter,
        isDeletion: values.delete ?? false,
      })
  const signed: Signed[] = []
  for (const one of wanted)
    signed.push(
      await sign(one, {
        deps,
        folder,
        trust,
        key,
        as: values.as,
        at: now,
        end: values['not-after'] === undefined ? undefined : notAfter,
      }),
    )
  deps.out(json ? `${JSON.stringify(approvalsJson(signed))}\n` : approvalText(signed))
  return YES
}

interface Signing {
  readonly deps: PolicyDeps
  readonly folder: WorkingFolder
  readonly trust: TrustFiles
  readonly key: string
  readonly as: string | undefined
  readonly at: Date
  /** The end that was asked for: it is not traded for that of a pending statement. */
  readonly end: Date | undefined
}

export interface Signed extends Approvable {
  readonly principal: string
  /** Paths of the two files. */
  readonly statementFile: string
  readonly signatureFile: string
  /** Everybody whose approval of it lies in the folder now. */
  readonly approvedBy: readonly string[]
}

async function sign(wanted: Approvable, signing: Signing): Promise<Signed> {
  const { deps, folder, trust, key, as, at, end } = signing
  // Read again each time: what was just written may be what waits.
  const files = await folder.files()
  const terms = await termsNow(files, trust, at)
  const pending = pendingFor(wanted.statement, { files, terms, end })
  const armored = await signatureBy(key, pending.bytes, deps)
  const principal = principalBehind(armored, { terms, as })
  const place = `approvals/${sha256(pending.bytes)}`
  const statementFile = `${place}/statement.json`
  const signatureFile = `${place}/${principal}.sig`
  await deps.writeFile(join(folder.path, statementFile), pending.bytes)
  await deps.writeFile(join(folder.path, signatureFile), armored)
  return {
    ...wanted,
    statement: pending.statement,
    principal,
    statementFile,
    signatureFile,
    approvedBy: [...new Set([...pending.approvedBy, principal])],
  }
}

async function signatureBy(
  key: string,
  message: Uint8Array,
  deps: PolicyDeps,
): Promise<Uint8Array> {
  try {
    return await deps.sign({ key, namespace: APPROVAL_NAMESPACE, message, tell: deps.err })
  } catch (cause) {
    throw new Mistake(
      `--key ${key}: ${cause instanceof Error ? cause.message : cause}.`,
      'Give the file of a private key that you may use, or of the public one that your ssh-agent holds.',
    )
  }
}

function approvalsJson(signed: readonly Signed[]) {
  return {
    principal: signed[0]?.principal ?? null,
    approvals: signed.map(({ statement, needs, approvedBy, statementFile, signatureFile }) => ({
      ...statement,
      statement: statementFile,
      signature: signatureFile,
      approvedBy,
      needs: needs.map(({ setting, threshold }) => ({
        setting,
        threshold: threshold.threshold,
        principals: threshold.principals,
        excludeAuthor: threshold.excludeAuthor,
      })),
    })),
  }
}
