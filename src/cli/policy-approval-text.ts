/** What `vouchsafe policy approve` says: what was approved by whom, who is still needed, and what to do with the files. */
import type { Signed } from './policy-approve.ts'
import { counted, printable } from './text.ts'

export function approvalText(signed: readonly Signed[]): string {
  const isReset = signed.some(({ statement }) => statement.kind === 'Reset')
  return `${[
    ...signed.flatMap(linesOf),
    isReset
      ? 'Commit it on top of the commit to go on from, and push:'
      : 'Commit it with the change or after it, in the same push:',
    `  git add ${[...new Set(signed.map(({ statementFile }) => folderOf(statementFile)))].join(' ')} && git commit`,
  ].join('\n')}\n`
}

function linesOf({
  statement,
  principal,
  approvedBy,
  needs,
  signatureFile,
}: Signed): readonly string[] {
  const until = statement.notAfter.toISOString().replace('.000Z', 'Z')
  const what =
    statement.kind === 'Reset'
      ? `a reset from ${statement.from.slice(0, 12)} to ${statement.to.slice(0, 12)}`
      : `${printable(statement.path)} (${statement.sha256 === 'deleted' ? 'deleted' : `sha256 ${statement.sha256.slice(0, 12)}`}, generation ${statement.generation})`
  return [
    `Approved ${what} as ${principal}, until ${until}.`,
    `  ${signatureFile}`,
    ...(needs.length === 0
      ? ['  No threshold asks for it: a role is enough.']
      : needs.map((need) => `  ${needText(need, { approvedBy, kind: statement.kind })}`)),
  ]
}

interface Given {
  readonly approvedBy: readonly string[]
  readonly kind: Signed['statement']['kind']
}

function needText(
  { setting, threshold: { threshold, principals, excludeAuthor } }: Signed['needs'][number],
  { approvedBy, kind }: Given,
): string {
  const have = principals.filter((each) => approvedBy.includes(each))
  const others = principals.filter((each) => !approvedBy.includes(each))
  const missing = threshold - have.length
  const asked = `${setting}: ${have.length} of ${threshold} (${have.join(', ') || 'nobody yet'}).`
  const isAuthorOut = excludeAuthor && kind === 'Approval'
  if (missing <= 0)
    return isAuthorOut ? `${asked} Enough, if none of them signs the commit.` : `${asked} Enough.`
  return `${asked} Still needed: ${counted(missing, 'approval')} by ${others.join(' or ')}${authorText(kind, excludeAuthor)}.`
}

/** Whoever signs the commit has a vote too, and is not known yet. A reset is signed by those who approve it, and nobody else. */
function authorText(kind: Given['kind'], isExcluded: boolean): string {
  if (kind === 'Reset') return ''
  return isExcluded
    ? ', who may not sign the commit'
    : '; the signature of the commit counts as one'
}

function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf('/'))
}
