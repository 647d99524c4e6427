/** `vouchsafe log verify`: is this log what it says, and does it continue what it was; or does this proof hold? */
import { LogFault } from '../log/log-fault.ts'
import { parseLogProof, verifyLogProof } from '../log/log-proof.ts'
import { verifierKeyText } from '../log/note-key.ts'
import { REFUSED, YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import { progress } from './collateral-progress.ts'
import { readFile } from './files.ts'
import { auditLog, bundlesOf } from './log-audit.ts'
import type { LogDeps } from './log-deps.ts'
import { copiedTo, folderLog, type LogSource, serviceLog } from './log-source.ts'
import { currentCheckpoint, keyOf, type LogTrust, logTrust, stateText } from './log-trust.ts'
import { counted, printable } from './text.ts'

const options = {
  url: { type: 'string' },
  directory: { type: 'string' },
  proof: { type: 'string' },
  key: { type: 'string' },
  witness: { type: 'string', multiple: true },
  state: { type: 'string' },
  copy: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe log verify: is a transparency log what it says?

  --url URL              address of a service
  --directory DIR        a folder with \`checkpoint\` and \`tile/\` instead
  --proof FILE           verify a bundle of \`vouchsafe log prove\` instead, with nobody asked
  --key KEY              the log's verifier key, as its operator published it
  --witness KEY          this witness must have cosigned; may be given several times
  --state FILE           keeps what was verified; the next run reads what came since, and refuses a rollback or a fork
  --copy DIR             keeps every file that is read, for --directory
  --json                 print {verified, reason, origin, size, root, since, entries, kinds, denials, witnesses, key}

Reads every entry and tile, and holds each against the signed root. Without --key and without a state file the service
itself is asked for the key, and the answer says so: that finds mistakes, and no liar.
Exits 0 (it holds), 2 (it does not) or 1 (could not tell).

Examples:
  vouchsafe log verify --url https://attest.example.com --state audit.json
  vouchsafe log verify --proof denial.json --key attest.example.com/v1/log+1f9a...
`

export async function verifyLog(args: readonly string[], deps: LogDeps): Promise<number> {
  const { values, positionals } = parseArguments('log verify', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const { url, directory, proof } = values
  const given = [url, directory, proof].filter((each) => each !== undefined)
  if (given.length !== 1 || positionals.length > 0)
    throw new Mistake(
      'What to verify is one of --url, --directory and --proof.',
      'See `vouchsafe log verify --help`.',
    )
  const report = await reported(() =>
    proof === undefined ? whole(values, deps) : bundle(values, deps),
  )
  deps.out(values.json ? `${JSON.stringify(report)}\n` : textOf(report))
  return report.verified ? YES : REFUSED
}

interface Values {
  readonly url?: string
  readonly directory?: string
  readonly proof?: string
  readonly key?: string
  readonly witness?: string[]
  readonly state?: string
  readonly copy?: string
}

/** The JSON form. A stable interface. */
interface LogReport {
  readonly verified: boolean
  /** Why not; or what the answer rests on, where that is less than it could be. */
  readonly reason: string | null
  readonly origin?: string
  readonly size?: number
  /** Base64, as checkpoints have it. */
  readonly root?: string
  /** Size that was verified before. */
  readonly since?: number
  readonly entries?: number
  readonly kinds?: Readonly<Record<string, number>>
  readonly denials?: number
  readonly witnesses?: readonly { readonly name: string; readonly at: string }[]
  readonly key?: string
  readonly leaf?: string
  readonly record?: unknown
}

/** What does not hold is an answer, and no failure. */
async function reported(verify: () => Promise<LogReport>): Promise<LogReport> {
  try {
    return await verify()
  } catch (cause) {
    if (cause instanceof LogFault) return { verified: false, reason: cause.message }
    throw cause
  }
}

async function whole(values: Values, deps: LogDeps): Promise<LogReport> {
  const source = sourceOf(values, deps)
  const trust = await logTrust({ ...values, key: values.key, state: values.state, source }, deps)
  const witnesses = (values.witness ?? []).map((text) => keyOf(text, '--witness'))
  const newer = await currentCheckpoint(source, trust.key, witnesses)
  const missing = witnesses.find(
    (key) => !newer.cosignatures.some(({ witness }) => witness === key),
  )
  if (missing) throw new LogFault(`the checkpoint bears no cosignature by ${missing.name}`)
  const { older } = trust
  const bar = progress(bundlesOf(older.size, newer.size), {
    write: deps.err,
    isTerminal: deps.terminal,
  })
  const audited = await auditLog(source, { older, newer, bar }).finally(() => bar.end())
  const vkey = verifierKeyText(trust.key)
  if (values.state !== undefined)
    await deps.keepFile(
      values.state,
      new TextEncoder().encode(stateText({ vkey, note: newer.note })),
    )
  return {
    verified: true,
    reason: reservation(trust),
    origin: newer.origin,
    size: newer.size,
    root: Buffer.from(newer.root).toString('base64'),
    since: older.size,
    ...audited,
    witnesses: newer.cosignatures.map(({ witness, at }) => ({
      name: witness.name,
      at: at.toISOString(),
    })),
    key: vkey,
  }
}

async function bundle(values: Values, deps: LogDeps): Promise<LogReport> {
  const { proof = '', key, state } = values
  const trust = await logTrust({ key, state, source: undefined }, deps)
  const text = new TextDecoder().decode(await readFile(deps.files, proof, '--proof'))
  const witnesses = (values.witness ?? []).map((each) => keyOf(each, '--witness'))
  const proven = verifyLogProof(parseLogProof(jsonOf(text)), { log: trust.key, witnesses })
  const { checkpoint, leaf, record } = proven
  const missing = witnesses.find(
    (each) => !checkpoint.cosignatures.some(({ witness }) => witness === each),
  )
  if (missing) throw new LogFault(`the checkpoint bears no cosignature by ${missing.name}`)
  return {
    verified: true,
    reason: null,
    origin: checkpoint.origin,
    size: checkpoint.size,
    root: Buffer.from(checkpoint.root).toString('base64'),
    leaf,
    witnesses: checkpoint.cosignatures.map(({ witness, at }) => ({
      name: witness.name,
      at: at.toISOString(),
    })),
    ...(record !== undefined && { record }),
  }
}

function sourceOf({ url, directory, copy }: Values, deps: LogDeps): LogSource {
  const source = url === undefined ? folderLog(directory ?? '', deps) : serviceLog(url, deps)
  return copy === undefined ? source : copiedTo(copy, source, deps)
}

function reservation({ from }: LogTrust): string | null {
  return from === 'service'
    ? 'the key came from the service itself: compare it with what its operator published'
    : null
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function textOf(report: LogReport): string {
  const { verified, reason, origin, size, since, entries, kinds, denials, witnesses = [] } = report
  if (!verified) return `The log does NOT hold: ${printable(reason ?? '')}.\n`
  const lines = [
    report.leaf === undefined
      ? `The log ${printable(origin ?? '')} holds: ${counted(size ?? 0, 'leaf', 'leaves')}, root ${report.root}.`
      : `The leaf ${report.leaf} is in the log ${printable(origin ?? '')} of ${counted(size ?? 0, 'leaf', 'leaves')}.`,
    ...(since
      ? [`It continues the ${counted(since, 'leaf', 'leaves')} that were verified before.`]
      : []),
    ...(entries === undefined
      ? []
      : [
          `Read: ${counted(entries, 'entry', 'entries')}${Object.entries(kinds ?? {})
            .map(([kind, count]) => `, ${count} ${kind}`)
            .join('')}${denials ? ` (over ${counted(denials, 'denial')})` : ''}.`,
        ]),
    ...witnesses.map(({ name, at }) => `Cosigned by ${printable(name)} at ${at}.`),
    ...(report.record === undefined
      ? []
      : [`It is about: ${printable(JSON.stringify(report.record))}`]),
    ...(reason === null ? [] : [`Mind: ${reason}.`]),
  ]
  return `${lines.join('\n')}\n`
}
