/**
 * What was asked of the local endpoint? Bounded, in JSON, and by a program: a browser that somebody led here says where it comes
 * from, or names another host, and is refused before anything is read.
 */
import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { WrongQuestion } from './endpoint-problem.ts'

/** What clients of Unix sockets write there; a name that a browser can resolve is none of them. */
const HOSTS = ['vouchsafe', 'localhost']
const MOST_BODY_BYTES = 64 * 1024

/** Throws WrongQuestion. */
export function assertProgram({ headers }: IncomingMessage): void {
  if (!HOSTS.includes(headers.host ?? ''))
    throw new WrongQuestion(421, 'host-other', {
      detail: 'the header Host is neither vouchsafe nor localhost',
      next: 'Ask for http://vouchsafe/… over the socket.',
    })
  const isBrowser =
    headers.origin !== undefined || headers.referer !== undefined || 'sec-fetch-mode' in headers
  if (isBrowser)
    throw new WrongQuestion(403, 'browser-refused', {
      detail: 'the question comes from a browser',
      next: 'Ask from the agent’s own program.',
    })
}

/** Throws WrongQuestion. */
export async function bodyOf<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';')
  if (type.trim().toLowerCase() !== 'application/json')
    throw new WrongQuestion(415, 'body-type-other', {
      detail: 'the body is not application/json',
      next: 'Send JSON, and say so in Content-Type.',
    })
  return parsed(schema, jsonOf(await boundedBody(request)), 'body')
}

/** Throws WrongQuestion. `of`: what is wrong, in the answer. */
export function parsed<T>(schema: z.ZodType<T>, value: unknown, of: 'body' | 'query'): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new WrongQuestion(400, `${of}-invalid`, {
    // Names of members and what is expected; never what was sent.
    detail: `${issue?.path.join('.') || `the ${of}`}: ${issue?.message ?? 'is not as it should be'}`,
    next: 'See docs/agents.md, “The local endpoint”.',
  })
}

async function boundedBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length
    if (size > MOST_BODY_BYTES)
      throw new WrongQuestion(413, 'body-too-large', {
        detail: `the body has more than ${MOST_BODY_BYTES} bytes`,
        next: 'Send the digest of what is large, and not itself.',
      })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new WrongQuestion(400, 'body-invalid', {
      detail: 'the body is no JSON',
      next: 'See docs/agents.md, “The local endpoint”.',
    })
  }
}
