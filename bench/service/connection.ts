/**
 * One connection of the load generator: writes a request that was serialised before, and reads no more of the answer than
 * where it ends. An HTTP library would cost more CPU than the service that is measured.
 */
import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  /** `performance.now()` when the last byte was there. */
  readonly endedAt: number
  readonly body: Buffer
}

export interface Connection {
  /** Rejects when the connection breaks. One at a time. */
  readonly ask: (request: Buffer) => Promise<Answer>
  readonly close: () => void
}

export async function openConnection(port: number): Promise<Connection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return speaking(socket)
}

function speaking(socket: Socket): Connection {
  let received: Buffer = Buffer.alloc(0)
  let waiting: { resolve: (answer: Answer) => void; reject: (cause: Error) => void } | undefined

  function look(): void {
    const headerEnd = received.indexOf('\r\n\r\n')
    if (headerEnd < 0 || !waiting) return
    const head = received.toString('latin1', 0, headerEnd)
    const size = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN)
    if (Number.isNaN(size)) {
      broken(new Error(`an answer without a length: ${head}`))
      return
    }
    const end = headerEnd + 4 + size
    if (received.length < end) return
    const answer = {
      status: Number(head.slice(9, 12)),
      endedAt: performance.now(),
      body: received.subarray(headerEnd + 4, end),
    }
    received = received.subarray(end)
    const { resolve } = waiting
    waiting = undefined
    resolve(answer)
  }

  function broken(cause: Error): void {
    socket.destroy()
    waiting?.reject(cause)
    waiting = undefined
  }

  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    look()
  })
  socket.on('error', broken)
  socket.on('close', () => broken(new Error('the connection was closed')))
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('the connection was closed'))
        waiting = { resolve, reject }
        socket.write(request)
      }),
    close: () => socket.destroy(),
  }
}

/** As it goes over the wire. */
export function serialised(
  method: 'GET' | 'POST',
  path: string,
  {
    body,
    headers = {},
  }: { readonly body?: string; readonly headers?: Record<string, string> } = {},
): Buffer {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'host: measured',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined
      ? []
      : ['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`]),
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`)
}
