/** `vouchsafe log witness`: cosign what a log says, as long as it continues what it said before. */
import { encodeSubmission } from '../log/add-checkpoint.ts'
import { fromExactBase64, toBase64 } from '../log/base64.ts'
import { consistencyProof } from '../log/consistency.ts'
import { LogFault } from '../log/log-fault.ts'
import { type NoteSigner, noteSigner, verifierKeyText } from '../log/note-key.ts'
import { REFUSED, YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import { readFile } from './files.ts'
import type { LogDeps } from './log-deps.ts'
import { hashTile, type LogSource, serviceLog } from './log-source.ts'
import { currentCheckpoint, exists, type LogTrust, logTrust } from './log-trust.ts'
import { listeningOn, serveWitness } from './log-witness-server.ts'
import { type Witness, witnessOf } from './log-witness-state.ts'
import { printable } from './text.ts'

const options = {
  url: { type: 'string' },
  key: { type: 'string' },
  'key-file': { type: 'string' },
  name: { type: 'string' },
  state: { type: 'string' },
  listen: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe log witness --key-file FILE --state FILE: cosign a log while it only grows

  --url URL              address of the service whose log is watched
  --key KEY              the log's verifier key, as its operator published it (default: what the service says, the first
                         time; afterwards what --state has)
  --key-file FILE        the witness's own key; made when there is none, under --name
  --name NAME            what the witness is called, as an address without scheme: witness.example/w1
  --state FILE           what was cosigned last, written before each cosignature; must never be lost or restored
  --listen HOST:PORT     serve C2SP tlog-witness (POST /add-checkpoint) until it is stopped; without it, the newest
                         checkpoint is fetched, judged and cosigned once
  --json                 print {cosigned, reason, origin, size, cosignature, key}

Give the service \`VOUCHSAFE_LOG_WITNESSES=URL KEY\` with the key that this prints. Run it where the service's operators
cannot change it: that is its point.
Exits 0 (cosigned, or stopped while listening), 2 (the log was rolled back or forked, or is not signed) or 1 (could not tell).
`

export async function witnessLog(args: readonly string[], deps: LogDeps): Promise<number> {
  const { values } = parseArguments('log witness', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const { 'key-file': keyFile, name, state, url, key, listen, json } = values
  if (keyFile === undefined || state === undefined)
    throw new Mistake(
      '--key-file and --state are both needed.',
      'See `vouchsafe log witness --help`.',
    )
  if (url === undefined && (key === undefined || listen === undefined))
    throw new Mistake(
      'Which log is watched is missing.',
      'Give --url, or --key together with --listen.',
    )
  const signer = await signerIn(keyFile, name, deps)
  const source = url === undefined ? undefined : serviceLog(url, deps)
  const trust = await logTrust({ key, state, source }, deps)
  const witness = witnessOf({ trust, signer, state }, deps)
  const vkey = verifierKeyText(signer.key)
  if (listen !== undefined) {
    const served = await serveWitness(listeningOn(listen), witness)
    deps.out(
      json
        ? `${JSON.stringify({ listening: served.address, key: vkey })}\n`
        : `Watching ${printable(trust.key.name)} at ${served.address}.\nVerifier key: ${vkey}\n`,
    )
    await deps.stopped()
    await served.close()
    return YES
  }
  if (!source) throw new Error('a log without an address is watched by listening')
  const report = await judgedOnce(source, trust, witness)
  if (json) deps.out(`${JSON.stringify({ ...report, key: vkey })}\n`)
  else if (report.cosignature !== null) deps.out(report.cosignature)
  else deps.err(`vouchsafe log witness: refused: ${printable(report.reason ?? '')}.\n`)
  return report.cosigned ? YES : REFUSED
}

/** The newest checkpoint, shown to the witness as the log itself would show it. */
async function judgedOnce(source: LogSource, { key, older }: LogTrust, { add }: Witness) {
  try {
    const { note, size, origin } = await currentCheckpoint(source, key)
    // Of a log that was rolled back there is no proof: the witness answers what it cosigned last.
    const oldSize = Math.min(older.size, size)
    const read = (level: number, index: number) => hashTile(source, { level, index, size })
    const proof = await consistencyProof(read, { from: oldSize, to: size })
    const answer = await add(encodeSubmission({ oldSize, proof, checkpoint: note }))
    const cosigned = answer.status === 200
    const reason = cosigned ? null : answer.reason
    return { cosigned, reason, origin, size, cosignature: cosigned ? answer.body : null }
  } catch (cause) {
    if (!(cause instanceof LogFault)) throw cause
    const { name: origin } = key
    return { cosigned: false, reason: cause.message, origin, size: null, cosignature: null }
  }
}

/** `PRIVATE+KEY+<name>+<id>+<base64>`, as Go's note package writes signer keys; type 4, for cosignatures. */
async function signerIn(
  path: string,
  name: string | undefined,
  deps: LogDeps,
): Promise<NoteSigner> {
  if (!(await exists(path, deps.files))) return await madeIn(path, name, deps)
  const text = new TextDecoder().decode(await readFile(deps.files, path, '--key-file')).trim()
  const [, written = '', id = '', encoded = ''] =
    /^PRIVATE\+KEY\+([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text) ?? []
  const bytes = fromExactBase64(encoded)
  if (bytes?.length !== 33 || bytes[0] !== COSIGNATURE)
    throw new Mistake(
      `--key-file ${path} holds no key of a witness.`,
      'Name a file that does not exist yet, and the name of the witness: --name.',
      'file-unreadable',
    )
  const signer = noteSigner('witness', written, bytes.slice(1))
  if (signer.key.id !== id || (name !== undefined && name !== written))
    throw new Mistake(
      `--key-file ${path} is of ${printable(written)}+${id}.`,
      'A witness keeps its name with its key.',
    )
  return signer
}

const COSIGNATURE = 0x04

async function madeIn(path: string, name: string | undefined, deps: LogDeps): Promise<NoteSigner> {
  if (name === undefined)
    throw new Mistake(
      `There is no --key-file ${path}, and a new key needs a name.`,
      'Give --name, an address without scheme: witness.example/w1.',
    )
  const seed = deps.randomBytes(32)
  const signer = noteSigner('witness', keyName(name), seed)
  const encoded = toBase64(Uint8Array.of(COSIGNATURE, ...seed))
  const text = `PRIVATE+KEY+${name}+${signer.key.id}+${encoded}\n`
  await deps.keepFile(path, new TextEncoder().encode(text))
  return signer
}

function keyName(name: string): string {
  if (/^[^\s+]{1,200}$/.test(name)) return name
  throw new Mistake(
    `--name ${printable(name)} has a space or a plus.`,
    'Write it as witness.example/w1.',
  )
}
