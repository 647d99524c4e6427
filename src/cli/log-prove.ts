/** `vouchsafe log prove`: a bundle that proves to anybody that a decision is in the log, verified before it is handed out. */
import { z } from 'zod'
import { LogFault } from '../log/log-fault.ts'
import { type LogProof, parseLogProof, verifyLogProof } from '../log/log-proof.ts'
import { REFUSED, YES } from './answering.ts'
import { Mistake, onePath, parseArguments } from './arguments.ts'
import { explainedSchema } from './explain-text.ts'
import type { LogDeps } from './log-deps.ts'
import { serviceLog } from './log-source.ts'
import { exists, logTrust } from './log-trust.ts'
import { addressOf, askService } from './policy-service.ts'
import { printable } from './text.ts'

const options = {
  url: { type: 'string' },
  key: { type: 'string' },
  state: { type: 'string' },
  'token-file': { type: 'string' },
  disclose: { type: 'boolean' },
  out: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe log prove LEAF|APPRAISAL|TOKEN-FILE --url URL: prove that a decision is in the log

  LEAF                   64 hex digits: \`logLeaf\` of an answer, \`att_log.leaf\` of a token
  APPRAISAL              id of an appraisal or request; needs --token-file (role viewer)
  TOKEN-FILE             a file with a token (JWT) of the service; its signature is not looked at
  --url URL              address of the service
  --key KEY              the log's verifier key, as its operator published it; or --state FILE of \`log verify\`
  --token-file FILE      holds your operator token
  --disclose             put the private record into the bundle; needs --token-file (role auditor)
  --out FILE             write the bundle there (default: to the terminal)
  --json                 as it is: the bundle is JSON

Waits up to 10 s for a leaf that is not numbered yet. Verify the bundle with \`vouchsafe log verify --proof FILE\`.
Exits 0 (it is proven), 2 (what the service says proves nothing) or 1 (could not tell).
`

/** A leaf is numbered within a second; a service that does not in this time does not today. */
const PATIENCE_MS = 10_000
const PAUSE_MS = 500
const TIMEOUT_MS = 30_000
const LARGEST_TOKEN = 64 * 1024

export async function proveLog(args: readonly string[], deps: LogDeps): Promise<number> {
  const { values, positionals } = parseArguments('log prove', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const subject = onePath('log prove', 'LEAF', positionals)
  const { url, 'token-file': tokenFile } = values
  if (url === undefined)
    throw new Mistake('--url is missing: a service is asked.', 'Give the address of the service.')
  const source = serviceLog(url, deps)
  const trust = await logTrust({ key: values.key, state: values.state, source }, deps)
  const leaf = await leafOf(subject, { url, tokenFile, deps })
  try {
    const proof = await provenBy(await askedFor(leaf, url, deps), {
      leaf,
      record: values.disclose ? { url, tokenFile, deps } : undefined,
    })
    verifyLogProof(proof, { log: trust.key })
    const text = `${JSON.stringify(proof, undefined, 2)}\n`
    if (values.out === undefined) deps.out(text)
    else await deps.keepFile(values.out, new TextEncoder().encode(text))
    if (trust.from === 'service')
      deps.err(
        'Mind: the key came from the service itself; compare it with what its operator published.\n',
      )
    return YES
  } catch (cause) {
    if (!(cause instanceof LogFault)) throw cause
    deps.err(
      `vouchsafe log prove: what the service says proves nothing: ${printable(cause.message)}.\n`,
    )
    return REFUSED
  }
}

interface Asking {
  readonly url: string
  readonly tokenFile: string | undefined
  readonly deps: LogDeps
}

async function leafOf(subject: string, asking: Asking): Promise<string> {
  if (/^[0-9a-f]{64}$/.test(subject)) return subject
  const { files } = asking.deps
  if (await exists(subject, files)) return leafOfToken(await files.read(subject), subject)
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(subject))
    throw new Mistake(
      `${printable(subject)} is no leaf, no id of an appraisal and no file.`,
      'See `vouchsafe log prove --help`.',
    )
  const path = `/v1/appraisals/${subject}`
  const { log } = await askService({ method: 'GET', path }, explainedSchema, asking)
  return log.leaf
}

const claimsSchema = z.object({ att_log: z.object({ leaf: z.string().regex(/^[0-9a-f]{64}$/) }) })

/** Not checked: whether the token is genuine. What is proven is the leaf that it names. */
function leafOfToken(bytes: Uint8Array, path: string): string {
  const parts = new TextDecoder().decode(bytes.subarray(0, LARGEST_TOKEN)).trim().split('.')
  if (parts.length === 5)
    throw new Mistake(
      `${path} holds an encrypted token.`,
      'Decrypt it with the agent’s key first, or name the leaf that came with it.',
    )
  const claims = claimsSchema.safeParse(jsonOf(Buffer.from(parts[1] ?? '', 'base64url').toString()))
  if (claims.success) return claims.data.att_log.leaf
  throw new Mistake(
    `${path} holds no token with att_log.leaf.`,
    'Name a file with a token as the service issued it.',
  )
}

/** Throws Mistake where the service refuses, and LogFault for what is no proof. */
async function askedFor(leaf: string, url: string, deps: LogDeps): Promise<LogProof> {
  const address = addressOf(url, `/v1/log/proof?leaf=${leaf}`)
  const end = deps.now().getTime() + PATIENCE_MS
  for (;;) {
    const response = await deps
      .fetch(address, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
      .catch((cause) => {
        throw new Mistake(
          `${address} gave no answer: ${cause}.`,
          'Check the address, and that the service runs.',
        )
      })
    const document = jsonOf(await response.text())
    if (response.status === 200) return parseLogProof(document)
    const { code, detail } = problemSchema.parse(document ?? {})
    if (code !== 'log-leaf-waiting' || deps.now().getTime() >= end)
      throw new Mistake(
        `${address} answered ${response.status}${detail ? `: ${printable(detail)}` : ''}.`,
        'Check the leaf. One that waits for long is the trouble of the service: see its /readyz.',
      )
    await deps.wait(PAUSE_MS)
  }
}

const problemSchema = z.object({ code: z.string().optional(), detail: z.string().optional() })
const bodySchema = z.object({ entry: z.string(), salt: z.string(), record: z.string() })

/** Throws LogFault where it is about another leaf. */
async function provenBy(
  proof: LogProof,
  { leaf, record }: { readonly leaf: string; readonly record: Asking | undefined },
): Promise<LogProof> {
  if (proof.leaf !== leaf) throw new LogFault('the proof is of another leaf')
  if (!record) return proof
  const path = `/v1/log/entries/${leaf}/body`
  const {
    entry,
    salt,
    record: text,
  } = await askService({ method: 'GET', path }, bodySchema, record)
  return parseLogProof({ ...proof, disclosed: { entry, salt, record: text } })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
