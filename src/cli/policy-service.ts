/** A running service, asked as an operator: `--url` and `--token-file`. Throws Mistake for whatever is no answer. */
import { z } from 'zod'
import { Mistake } from './arguments.ts'
import { readFile } from './files.ts'
import type { PolicyDeps } from './policy-deps.ts'
import { shortened } from './text.ts'

export interface ServiceQuestion {
  readonly method: 'GET' | 'POST'
  /** Below the service's address: `/v1/policies`. */
  readonly path: string
  readonly body?: unknown
}

interface Access {
  readonly url: string
  readonly tokenFile: string | undefined
}

const TIMEOUT_MS = 60_000
const LARGEST_ANSWER = 16 * 1024 * 1024

export async function askService<T>(
  { method, path, body }: ServiceQuestion,
  schema: z.ZodType<T>,
  { deps, ...access }: Access & { readonly deps: Pick<PolicyDeps, 'fetch' | 'files'> },
): Promise<T> {
  const address = addressOf(access.url, path)
  const token = await tokenIn(access.tokenFile, deps)
  let status: number
  let document: unknown
  try {
    const answer = await deps.fetch(address, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // A token belongs to this address and to none that it names.
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    status = answer.status
    document = JSON.parse(await boundedText(answer))
  } catch (cause) {
    const why = cause instanceof Error ? (cause.cause ?? cause) : cause
    throw new Mistake(
      `${address} gave no answer that could be read: ${why instanceof Error ? why.message : why}.`,
      'Check the address, and that the service runs.',
    )
  }
  if (status !== 200) throw refusalOf(address, status, document)
  const parsed = schema.safeParse(document)
  if (parsed.success) return parsed.data
  throw new Mistake(
    `${address} answered something else than this version expects: ${z.prettifyError(parsed.error)}.`,
    'Use the command line of the version that the service runs.',
  )
}

export function addressOf(url: string, path: string): string {
  const base = URL.canParse(url) ? new URL(url) : undefined
  const isSafe =
    base?.protocol === 'https:' ||
    (base?.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(base.hostname))
  if (!base || !isSafe || base.username !== '' || base.password !== '')
    throw new Mistake(
      `--url ${url} is no https address (http only to this machine) without credentials.`,
      'Give the origin that the service is reached at, as VOUCHSAFE_PUBLIC_URL has it.',
    )
  return `${base.origin}${base.pathname.replace(/\/$/, '')}${path}`
}

export async function tokenIn(
  file: string | undefined,
  { files }: Pick<PolicyDeps, 'files'>,
): Promise<string> {
  if (file === undefined)
    throw new Mistake(
      '--token-file is missing: only operators may ask.',
      'Name the file that holds your operator token.',
    )
  const token = Buffer.from(await readFile(files, file, '--token-file'))
    .toString('latin1')
    .trim()
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token
  throw new Mistake(
    `--token-file ${file} must hold one token, without spaces.`,
    'Write the token alone into it.',
  )
}

async function boundedText(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.body ?? []) {
    size += chunk.length
    if (size > LARGEST_ANSWER) throw new Error(`it is longer than ${LARGEST_ANSWER} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const problemSchema = z.object({ code: z.string(), detail: z.string(), next: z.string() })

export function refusalOf(address: string, status: number, document: unknown): Mistake {
  const problem = problemSchema.safeParse(document)
  if (problem.success)
    return new Mistake(
      `${address} answered ${status} ${problem.data.code}: ${problem.data.detail}.`,
      problem.data.next,
    )
  return new Mistake(
    `${address} answered ${status}: ${shortened(JSON.stringify(document))}.`,
    'Check that the address is that of a Vouchsafe service.',
  )
}
