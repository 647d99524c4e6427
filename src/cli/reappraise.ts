/** `vouchsafe reappraise`: would what was let pass still pass? Of a running service, or of the database while none runs. */
import { COULD_NOT_TELL, type Output, REFUSED, YES } from './answering.ts'
import { Mistake, noPath, parseArguments } from './arguments.ts'
import type { Files } from './files.ts'
import { type ReappraisalLine, readLine } from './reappraise-lines.ts'
import { type ShareBar, shareBar } from './reappraise-progress.ts'
import { openLines } from './reappraise-service.ts'
import { coloured, type Paint, plain, printable } from './text.ts'

export interface ReappraiseDeps extends Output {
  readonly colour: boolean
  /** Whether `err` leads to a terminal. */
  readonly terminal: boolean
  readonly files: Files
  readonly fetch: typeof globalThis.fetch
  /** On the database itself. Throws Problem where a running service holds it. */
  readonly directly: (question: ReappraisalQuestion) => AsyncIterable<unknown>
}

export interface ReappraisalQuestion {
  readonly tenant: string | undefined
  /** Undefined: only what live tokens rest on. */
  readonly since: Date | undefined
  readonly dryRun: boolean
}

const options = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  tenant: { type: 'string' },
  since: { type: 'string' },
  all: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe reappraise [--url URL --token-file FILE] [--tenant NAME] [--since RFC3339 | --all] [--dry-run]

Judges stored evidence again: by the policy in force at the time of its appraisal, and by what its vendor says now. The
live tokens of what would not pass any more are revoked. A service does this by itself whenever its policy or a vendor's
document changes; this is for certainty.

  --url URL              address of a running service; without it the database of the settings is opened, which an
                         embedded one allows only while no service runs
  --token-file FILE      holds your operator token (role operator)
  --tenant NAME          only this one; default: every tenant
  --since RFC3339        everything that was let pass since then; default: only what live tokens rest on
  --all                  everything that is kept
  --dry-run              tell what would fall, and revoke nothing
  --json                 one JSON object a line: tenant, progress, fallen, skipped, and report as the last

Exits 0 (nothing fell), 2 (something fell) or 1 (could not tell, of some of it or of all).

Examples:
  vouchsafe reappraise --url https://attest.example.com --token-file token
  vouchsafe reappraise --since 2026-11-01T00:00:00Z --dry-run
`

/** Long before anything of this kind was ever kept. */
const BEGINNING = new Date('2000-01-01T00:00:00Z')

export async function reappraiseCommand(
  args: readonly string[],
  deps: ReappraiseDeps,
): Promise<number> {
  const { values, positionals } = parseArguments('reappraise', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  noPath('reappraise', positionals, 'Name a tenant with --tenant.')
  const question: ReappraisalQuestion = {
    tenant: values.tenant,
    since: sinceOf(values),
    dryRun: values['dry-run'] ?? false,
  }
  const lines =
    values.url === undefined
      ? deps.directly(question)
      : openLines(question, { deps, url: values.url, tokenFile: values['token-file'] })
  const bar = shareBar({ write: deps.err, isTerminal: deps.terminal })
  try {
    return await told(lines, { deps, bar, asJson: values.json ?? false })
  } finally {
    bar.end()
  }
}

function sinceOf({ since, all }: { readonly since?: string; readonly all?: boolean }) {
  if (since !== undefined && all)
    throw new Mistake('--since and --all were both given.', 'Choose one of them.')
  if (all) return BEGINNING
  if (since === undefined) return undefined
  const at = new Date(since)
  if (
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(since) &&
    !Number.isNaN(at.getTime())
  )
    return at
  throw new Mistake(
    `--since ${since} is no instant.`,
    'Write it as RFC 3339 has it: 2026-11-01T00:00:00Z.',
  )
}

async function told(
  lines: AsyncIterable<unknown>,
  {
    deps,
    bar,
    asJson,
  }: { readonly deps: ReappraiseDeps; readonly bar: ShareBar; readonly asJson: boolean },
): Promise<number> {
  const paint = deps.colour ? coloured : plain
  let last: ReappraisalLine | undefined
  for await (const value of lines) {
    const line = readLine(value)
    last = line
    if (asJson) deps.out(`${JSON.stringify(line)}\n`)
    else if (line.type === 'progress') bar.show(line)
    else {
      bar.clear()
      deps.out(textOf(line, paint))
    }
  }
  if (last?.type === 'report') return exitOf(last)
  // A program has read the line that says why; a person has not.
  if (last?.type === 'failed' && asJson) return COULD_NOT_TELL
  throw last?.type === 'failed'
    ? new Mistake(last.detail, last.next)
    : new Mistake(
        'the answer ended before its last line: what was found until then is told above.',
        'Ask again; what was revoked stays revoked.',
      )
}

function exitOf({ fallen, unexaminable, skipped }: Extract<ReappraisalLine, { type: 'report' }>) {
  if (fallen > 0) return REFUSED
  return unexaminable > 0 || skipped > 0 ? COULD_NOT_TELL : YES
}

function textOf(line: Exclude<ReappraisalLine, { type: 'progress' }>, paint: Paint): string {
  switch (line.type) {
    case 'tenant':
      return `${printable(line.tenant)}, by policy ${line.commit.slice(0, 12)}\n`
    case 'skipped':
      return `${printable(line.tenant)}: ${printable(line.why)}\n`
    case 'fallen': {
      const { appraisal, environment, agent, reason, failing, live } = line
      const tokens = live === 1 ? '1 live token' : `${live} live tokens`
      return `  ${paint('bad', 'falls')} ${printable(`${environment}/${agent}`)}, appraisal ${printable(appraisal)}, ${tokens}, by ${reason}: ${printable(failing.join(', '))}\n`
    }
    case 'failed':
      return ''
    case 'report':
      return reportText(line)
  }
}

function reportText({
  examined,
  fallen,
  unexaminable,
  revoked,
  dryRun,
}: Extract<ReappraisalLine, { type: 'report' }>): string {
  const sentences = [
    `${examined} judged again, ${fallen === 0 ? 'and nothing fell' : `${fallen} fell`}.`,
    ...(unexaminable > 0
      ? [
          `${unexaminable} could not be judged: their vendor is silent, or what it said is kept no more.`,
        ]
      : []),
    dryRun ? 'Nothing was revoked: this was a dry run.' : `${revoked} tokens revoked.`,
  ]
  return `${sentences.join(' ')}\n`
}
