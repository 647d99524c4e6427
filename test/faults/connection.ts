/** One client's connection: kept as long as it lasts, and a request that is cut off is told apart from one that was refused. */
import { Agent, request as httpRequest } from 'node:http'

export interface Answer {
  readonly status: number
  readonly type: string
  readonly retryAfter: string | undefined
  readonly text: string
  /** Since it was asked. */
  readonly afterMs: number
  /** Undefined where the answer is no JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads of an answer, it expects to be there.
  readonly json: any
}

export interface Asked {
  readonly method?: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Connection {
  /** Rejects where there is no whole answer: the connection was refused or cut, or nothing came for 30 s. */
  readonly ask: (address: string, asked: Asked) => Promise<Answer>
  readonly close: () => void
}

const SILENT_MS = 30_000

export function openConnection(): Connection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return {
    ask: (address, { method = 'GET', path, headers = {}, body }) =>
      new Promise((resolve, reject) => {
        const begun = performance.now()
        const sent = httpRequest(
          `${address}${path}`,
          {
            agent,
            method,
            timeout: SILENT_MS,
            headers: {
              ...(body !== undefined && {
                'content-type': 'application/json',
                'content-length': Buffer.byteLength(body),
              }),
              ...headers,
            },
          },
          (response) => {
            const chunks: Buffer[] = []
            response.on('data', (chunk: Buffer) => chunks.push(chunk))
            response.on('error', reject)
            response.on('close', () => {
              if (!response.complete) return reject(new Error('the answer was cut off'))
              const text = Buffer.concat(chunks).toString('utf8')
              const type = response.headers['content-type'] ?? ''
              resolve({
                status: response.statusCode ?? 0,
                type,
                retryAfter: response.headers['retry-after'],
                text,
                afterMs: performance.now() - begun,
                json: /json/.test(type) ? JSON.parse(text) : undefined,
              })
            })
          },
        )
        sent.on('timeout', () => sent.destroy(new Error(`no answer within ${SILENT_MS} ms`)))
        sent.on('error', reject)
        sent.end(body)
      }),
    close: () => agent.destroy(),
  }
}
