/**
 * How do ten thousand agents speak to one service without ten thousand connections, and without costing more CPU than what is
 * measured? A pool of keep-alive connections that write what was serialised and read no more of an answer than where it ends.
 */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface Target {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  /** Name under which it is asked: `Host`, and of its certificate. */
  readonly name: string
}

export interface FleetRequest {
  /** With whatever comes before it at the service’s address. */
  readonly path: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

export interface FleetAnswer {
  readonly status: number
  readonly body: Buffer
}

export interface FleetPool {
  /** Waits for a connection, and is sent again once where one breaks. Rejects when that breaks too, or nothing came for 30 s. */
  readonly post: (request: FleetRequest) => Promise<FleetAnswer>
  readonly close: () => void
}

const DEADLINE_MS = 30_000
const LARGEST_ANSWER = 4 * 1024 * 1024

export function fleetPool(target: Target, most: number): FleetPool {
  const idle: Connection[] = []
  const waiters: ((connection: Connection | undefined) => void)[] = []
  let open = 0
  let isClosed = false

  /** Undefined: the caller is to open one. */
  async function take(): Promise<Connection> {
    const free = idle.pop()
    if (free && !free.isBroken()) return free
    if (free) open--
    if (open < most) return await opened()
    const given = await new Promise<Connection | undefined>((resolve) => waiters.push(resolve))
    return given ?? (await opened())
  }

  async function opened(): Promise<Connection> {
    if (isClosed) throw new Error('the pool is closed')
    open++
    try {
      return await openConnection(target)
    } catch (cause) {
      gone()
      throw cause
    }
  }

  function giveBack(connection: Connection): void {
    if (connection.isBroken()) {
      gone()
      return
    }
    const waiter = waiters.shift()
    if (waiter) waiter(connection)
    else idle.push(connection)
  }

  /** Whoever waits opens another in its place. */
  function gone(): void {
    open--
    waiters.shift()?.(undefined)
  }

  async function once(bytes: string): Promise<FleetAnswer> {
    const connection = await take()
    try {
      return await connection.ask(bytes)
    } finally {
      giveBack(connection)
    }
  }

  return {
    async post(request) {
      const bytes = serialised(target, request)
      try {
        return await once(bytes)
      } catch (cause) {
        if (isClosed || cause instanceof Silence) throw cause
        // A service closes connections that were idle for long, at the instant at which they are used again.
        return await once(bytes)
      }
    },
    close() {
      isClosed = true
      for (const connection of idle) connection.close()
    },
  }
}

/** Whoever does not answer is not asked the same once more at once. */
class Silence extends Error {
  constructor() {
    super(`nothing came for ${DEADLINE_MS / 1000} s`)
  }
}

interface Connection {
  /** One at a time. */
  readonly ask: (bytes: string) => Promise<FleetAnswer>
  readonly isBroken: () => boolean
  readonly close: () => void
}

async function openConnection({ host, port, isTls, name }: Target): Promise<Connection> {
  const socket = isTls
    ? connectTls({ host, port, servername: name.replace(/:\d+$/, '') })
    : connect({ host, port, noDelay: true })
  await new Promise<void>((resolve, reject) => {
    socket.once(isTls ? 'secureConnect' : 'connect', resolve)
    socket.once('error', reject)
  })
  return speaking(socket)
}

function speaking(socket: Socket): Connection {
  let received: Buffer = Buffer.alloc(0)
  let waiting:
    | { readonly resolve: (answer: FleetAnswer) => void; readonly reject: (cause: Error) => void }
    | undefined

  function broken(cause: Error): void {
    socket.destroy()
    const { reject } = waiting ?? {}
    waiting = undefined
    reject?.(cause)
  }

  function look(): void {
    const headerEnd = received.indexOf('\r\n\r\n')
    if (received.length > LARGEST_ANSWER) broken(new Error('an answer without end'))
    if (headerEnd < 0 || socket.destroyed) return
    const head = received.toString('latin1', 0, headerEnd)
    const size = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN)
    // What stands between, where something does, must not change how answers are sent.
    if (Number.isNaN(size)) {
      broken(new Error('an answer without content-length'))
      return
    }
    const end = headerEnd + 4 + size
    if (received.length < end) return
    const answer = {
      status: Number(head.slice(9, 12)),
      body: Buffer.from(received.subarray(headerEnd + 4, end)),
    }
    received = received.subarray(end)
    const { resolve } = waiting ?? {}
    waiting = undefined
    if (/\r\nconnection: *close/i.test(head)) socket.destroy()
    resolve?.(answer)
  }

  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    look()
  })
  socket.setTimeout(DEADLINE_MS, () => broken(new Silence()))
  socket.on('error', broken)
  socket.on('close', () => broken(new Error('the connection was closed')))
  return {
    ask: (bytes) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('the connection was closed'))
        waiting = { resolve, reject }
        socket.write(bytes)
      }),
    isBroken: () => socket.destroyed,
    close: () => socket.destroy(),
  }
}

function serialised({ name }: Target, { path, body, headers }: FleetRequest): string {
  const lines = [
    `POST ${path} HTTP/1.1`,
    `host: ${name}`,
    ...Object.entries(headers).map(([header, value]) => `${header}: ${value}`),
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
