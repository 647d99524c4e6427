/**
 * One question to the local endpoint, over its Unix socket, and an answer of bounded size within bounded time. Node's own fetch
 * knows no Unix sockets, so it is node:http.
 */
import { request as httpRequest, type RequestOptions } from 'node:http'
import { AgentFault } from './agent-fault.ts'

export interface LocalQuestion {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  /** Sent as JSON. */
  readonly body?: object
  readonly signal?: AbortSignal | undefined
}

export type Json = { readonly [name: string]: unknown }

/** The service may take its time, and is asked several times over. */
const TIMEOUT_MS = 120_000
/** A secret of 64 KiB has 88 KiB here. */
const LARGEST_ANSWER = 1024 * 1024

/** Throws AgentFault for every answer but 2xx, and where there is none. */
export async function askLocally(
  socketPath: string,
  { method, path, body, signal }: LocalQuestion,
): Promise<Json> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const { status, answer } = await asked(
    {
      ...{ socketPath, method, path },
      headers: {
        // The endpoint answers no name that a browser could be led to.
        host: 'vouchsafe',
        accept: 'application/json',
        ...(text !== undefined && { 'content-type': 'application/json' }),
      },
      signal: signal
        ? AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
        : AbortSignal.timeout(TIMEOUT_MS),
    },
    text,
  )
  const document = objectOf(answer)
  if (status >= 200 && status < 300 && document) return document
  throw new AgentFault(document ?? {}, status)
}

async function asked(
  options: RequestOptions,
  body: string | undefined,
): Promise<{ readonly status: number; readonly answer: string }> {
  return await new Promise((resolve, reject) => {
    const failed = (cause: Error) =>
      reject(
        new AgentFault(
          {
            code: 'endpoint-unreachable',
            detail: `the local endpoint did not answer: ${cause.message}`,
            next: 'Is the sidecar running (vouchsafe agent run), and may this user ask it?',
          },
          0,
        ),
      )
    const request = httpRequest(options, (response) => {
      let answer = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        answer += chunk
        if (answer.length > LARGEST_ANSWER)
          response.destroy(new Error(`its answer has more than ${LARGEST_ANSWER} characters`))
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, answer }))
      response.on('error', failed)
    })
    request.on('error', failed)
    request.end(body)
  })
}

function objectOf(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text)
    // What is neither null nor a list nor a primitive is an object of whatever members.
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Json)
      : undefined
  } catch {
    return undefined
  }
}
