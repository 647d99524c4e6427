/** A request body, from the wire to a typed value: media type, size, UTF-8, JSON, schema, each refused in its own words. */
import { hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { Problem } from '../problems.ts'
import type { ExactJson } from '../tee/sev-snp/json-rows.ts'
import { parseExactJson } from './exact-json.ts'
import { formOf, isForm } from './form-body.ts'
import type { BodyShare } from './guard/body-room.ts'
import { parseStrictJson } from './strict-json.ts'

/** A TDX quote with its collateral has about 60 KiB; the event log area of a recorded machine 256 KiB, a third more in base64. */
const LARGEST_BODY = 512 * 1024
const MOST_ISSUES_TOLD = 5

/** Without `stream` it keeps nothing between two texts. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What `receiveBody` has read, for `readBody` to judge: on the request itself, since a WeakMap costs more to collect. */
const BODY = Symbol('body')

interface ReceivedRequest extends Request {
  [BODY]?: Uint8Array
}

export interface ReadBody<T> {
  readonly value: T
  /** base64url of SHA-256 over the bytes as they came. */
  readonly sha256: string
}

/**
 * Waits for the whole of a body and keeps it for `readBody`: nothing is parsed yet, and a slow sender holds nobody up. From
 * Node's own stream, since a web stream around it costs more than all that is read. Throws Problem.
 */
export async function receiveBody(
  request: ReceivedRequest,
  {
    incoming,
    share,
    most = LARGEST_BODY,
    takes,
  }: {
    readonly incoming: IncomingMessage
    readonly share: BodyShare
    readonly most?: number | undefined
    readonly takes: 'json' | 'json or form' | 'bytes'
  },
): Promise<void> {
  if (takes === 'json' || (takes === 'json or form' && !isForm(request.headers)))
    assertJson(request.headers)
  if (Number(request.headers.get('content-length') ?? 0) > most) throw tooLarge(most)
  request[BODY] = await bytesOf(incoming, { share, most })
}

/** Of a request whose body was received, as that of every route is that says what it takes. Throws Problem. */
export async function readBody<S extends z.ZodType>(
  request: ReceivedRequest,
  schema: S,
): Promise<ReadBody<z.output<S>>> {
  const bytes = receivedBytes(request)
  // One that is no JSON came this far only because its route takes it.
  const parsed = schema.safeParse(
    isForm(request.headers) ? formOf(bytes) : jsonOf(bytes, parseStrictJson),
  )
  if (!parsed.success) throw new Problem('request-malformed', issuesText(parsed.error.issues))
  return {
    value: parsed.data,
    // Few ask.
    get sha256() {
      return hash('sha256', bytes, 'base64url')
    },
  }
}

/** The body as it came, for a route that takes bytes or judges JSON itself. */
export function receivedBytes(request: ReceivedRequest): Uint8Array {
  const bytes = request[BODY]
  if (!bytes) throw new Error('the route reads a body and does not say so')
  return bytes
}

/** JSON of any shape, in which no integer is rounded. Throws Problem. */
export function readExactBody(request: ReceivedRequest): ExactJson {
  return jsonOf(receivedBytes(request), parseExactJson)
}

function assertJson(headers: Headers): void {
  const type = headers.get('content-type') ?? ''
  if (!/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type))
    throw new Problem(
      'media-type-unsupported',
      `the Content-Type is ${type === '' ? 'missing' : JSON.stringify(type.slice(0, 100))}`,
    )
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity')
    throw new Problem('media-type-unsupported', 'the body is compressed, which is not undone here')
}

/** Counted as it arrives: a Content-Length is only a claim, and a chunked body has none. */
async function bytesOf(
  incoming: IncomingMessage,
  { share, most }: { readonly share: BodyShare; readonly most: number },
): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  return await new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      incoming.off('data', take).off('end', whole).off('error', broken).off('close', broken)
      settle()
    }
    const take = (chunk: Buffer) => {
      size += chunk.length
      try {
        if (size > most) throw tooLarge(most)
        share.take(chunk.length)
        chunks.push(chunk)
      } catch (problem) {
        end(() => reject(problem))
      }
    }
    const whole = () =>
      end(() => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)))
    const broken = (cause?: unknown) =>
      end(() =>
        reject(new Problem('request-malformed', 'the body ended before it was whole', { cause })),
      )
    // Gone while others were asked about it: no event would come any more.
    if (incoming.destroyed) broken()
    else incoming.on('data', take).on('end', whole).on('error', broken).on('close', broken)
  })
}

function jsonOf<T>(bytes: Uint8Array, parse: (text: string) => T): T {
  try {
    return parse(utf8.decode(bytes))
  } catch (cause) {
    // V8 quotes a piece of the text, which may be evidence or a token, and problems are logged.
    const ours = cause instanceof SyntaxError && /^(the name|values)/.test(cause.message)
    throw new Problem(
      'request-malformed',
      ours ? `the body: ${cause.message}` : 'the body is not JSON in UTF-8',
    )
  }
}

/** Paths and rules, never what was sent. */
function issuesText(issues: readonly z.core.$ZodIssue[]): string {
  const told = issues.slice(0, MOST_ISSUES_TOLD).map((issue) => {
    const path = issue.path.map(String).join('.') || 'the body'
    return issue.code === 'unrecognized_keys'
      ? `${path}: unknown fields ${issue.keys
          .slice(0, 5)
          .map((key) => JSON.stringify(key.slice(0, 40)))
          .join(', ')}`
      : `${path}: ${issue.message}`
  })
  const rest = issues.length - told.length
  return [...told, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ')
}

function tooLarge(most: number): Problem {
  return new Problem('body-too-large', `at most ${most} bytes are read`)
}
