/** Bytes to the service's port as they are, and what it answers until it closes: for clients that do not speak HTTP well. */
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  /** Of the last answer; undefined where the connection closed without one. */
  readonly status: number | undefined
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
  readonly afterMs: number
}

/** `write` is given the open socket; the answer is whatever came until the service closed the connection. */
export async function rawRequest(
  url: string,
  write: (socket: Socket) => void,
  mostMs = 10_000,
): Promise<RawAnswer> {
  const began = performance.now()
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => write(socket))
    const chunks: Buffer[] = []
    const end = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(Buffer.concat(chunks).toString('latin1'))
    }
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`the connection is open after ${mostMs} ms`))
    }, mostMs)
    socket.on('data', (chunk) => chunks.push(chunk))
    // Writing to what was closed is what a client that does not listen does.
    socket.on('error', end)
    socket.on('close', end)
    socket.on('end', end)
  })
  return { ...answerIn(text), afterMs: performance.now() - began }
}

function answerIn(text: string): Omit<RawAnswer, 'afterMs'> {
  const split = text.indexOf('\r\n\r\n')
  const [line = '', ...fields] = text.slice(0, split < 0 ? undefined : split).split('\r\n')
  const status = /^HTTP\/1\.1 (\d{3})/.exec(line)?.[1]
  return {
    status: status === undefined ? undefined : Number(status),
    headers: new Map(
      fields.map((field) => {
        const [name = '', ...value] = field.split(': ')
        return [name.toLowerCase(), value.join(': ')] as const
      }),
    ),
    body: split < 0 ? '' : text.slice(split + 4),
  }
}
