/** A request body, from the wire to a typed value: media type, size, UTF-8, JSON, schema, each refused in its own words. */
import { createHash } from 'node:crypto'
import type { z } from 'zod'
import { Problem } from '../problems.ts'
import { parseStrictJson } from './strict-json.ts'

/** A TDX quote with its collateral has about 60 KiB; the event log area of a recorded machine 256 KiB, a third more in base64. */
const LARGEST_BODY = 512 * 1024
const MOST_ISSUES_TOLD = 5

export interface ReadBody<T> {
  readonly value: T
  /** base64url of SHA-256 over the bytes as they came. */
  readonly sha256: string
}

/** Throws Problem. */
export async function readBody<S extends z.ZodType>(
  request: Request,
  schema: S,
): Promise<ReadBody<z.output<S>>> {
  assertJson(request.headers)
  const bytes = await bytesOf(request)
  const parsed = schema.safeParse(jsonOf(bytes))
  if (!parsed.success) throw new Problem('request-malformed', issuesText(parsed.error.issues))
  return { value: parsed.data, sha256: createHash('sha256').update(bytes).digest('base64url') }
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
async function bytesOf({ headers, body }: Request): Promise<Uint8Array> {
  if (Number(headers.get('content-length') ?? 0) > LARGEST_BODY) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of body ?? []) {
      size += chunk.length
      if (size > LARGEST_BODY) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    throw new Problem('request-malformed', 'the body ended before it was whole', { cause })
  }
  return new Uint8Array(Buffer.concat(chunks))
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
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

function tooLarge(): Problem {
  return new Problem('body-too-large', `at most ${LARGEST_BODY} bytes are read`)
}
