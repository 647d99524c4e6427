/**
 * HTTP/1.1 over a Unix socket, for programs of this machine that may speak for the agent: whoever connects is told nothing before
 * the kernel said who it is. Every connection is asked about once and closed after a while, so that whoever lost the right
 * loses it.
 */
import { randomUUID } from 'node:crypto'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { type AdmittedPeers, admittedPeer } from './admitted-peers.ts'
import { type Peer, peerOf } from './peer-credentials.ts'
import { EndpointFault, listenAt, type SocketPlace } from './socket-place.ts'

export interface LocalServerRequest extends SocketPlace {
  readonly admitted: AdmittedPeers
  /** Never rejects. */
  readonly answer: (request: IncomingMessage, response: ServerResponse, peer: Peer) => Promise<void>
}

export interface LocalServer {
  readonly close: () => Promise<void>
}

const MOST_CONNECTIONS = 64
/** Each is a process: whoever connects again and again waits, or is dropped. */
const MOST_ASKED_ABOUT = 8
const MOST_WAITING = 32
const LONGEST_CONNECTION_MS = 600_000

/** Throws EndpointFault for a place that cannot be used, and where the kernel cannot be asked. */
export async function startLocalServer(request: LocalServerRequest): Promise<LocalServer> {
  const { admitted, answer } = request
  const peers = new WeakMap<Socket, Peer>()
  const open = new Set<Socket>()
  const http = createHttpServer(
    {
      maxHeaderSize: 16 * 1024,
      requestTimeout: 10_000,
      headersTimeout: 5_000,
      keepAliveTimeout: 60_000,
      connectionsCheckingInterval: 1_000,
    },
    (incoming, response) => {
      const peer = peers.get(incoming.socket)
      // Cannot be: only connections that were judged come here.
      if (peer) void answer(incoming, response, peer)
      else incoming.socket.destroy()
    },
  )
  // It listens nowhere itself, and Node begins to look for slow connections only where one says so.
  http.emit('listening')
  const places = semaphore(MOST_ASKED_ABOUT, MOST_WAITING)
  const admit = async (socket: Socket) => {
    const peer = await places(async () => await admittedPeer(socket, admitted))
    if (!peer || socket.destroyed) {
      socket.destroy()
      return
    }
    peers.set(socket, peer)
    const limit = setTimeout(() => socket.destroy(), LONGEST_CONNECTION_MS)
    limit.unref()
    socket.once('close', () => clearTimeout(limit))
    http.emit('connection', socket)
    socket.resume()
  }
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    // Whoever hangs up while he is asked about.
    socket.on('error', () => socket.destroy())
    void admit(socket)
  })
  server.maxConnections = MOST_CONNECTIONS
  await assertPeersAreKnown(admitted)
  await listenAt(server, request)
  const close = async () => {
    for (const socket of open) socket.destroy()
    await new Promise<void>((resolve) => server.close(() => resolve()))
    // That it was not listening is what it says to this; it ends its timer all the same.
    http.close(() => {})
    http.closeAllConnections()
  }
  return { close }
}

/** Better at the start than at the first connection: without Perl, or on a kernel that is too old, nobody could be admitted. */
async function assertPeersAreKnown({ executables, cgroups }: AdmittedPeers): Promise<void> {
  const server = createServer({ pauseOnConnect: true })
  // An abstract name (unix(7)): no file is left behind.
  const name = `\0vouchsafe-${randomUUID()}`
  await new Promise<void>((resolve) => server.listen(name, resolve))
  const ours = connect(name)
  try {
    const socket = await new Promise<Socket>((resolve) => server.once('connection', resolve))
    const peer = await peerOf(socket, { ask: executables || cgroups ? 'process' : 'user' })
    socket.destroy()
    if (peer?.pid !== process.pid)
      throw new EndpointFault(
        'the kernel cannot be asked who connects: /usr/bin/perl (Debian: perl-base) is needed, and Linux 6.5 where programs or control groups are named',
      )
  } finally {
    ours.destroy()
    server.close()
  }
}

/** Undefined for whoever would be one too many. */
function semaphore(
  most: number,
  mostWaiting: number,
): <T>(work: () => Promise<T>) => Promise<T | undefined> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (running >= most) {
      if (waiting.length >= mostWaiting) return undefined
      // Whoever leaves hands his place over.
      await new Promise<void>((resume) => waiting.push(resume))
    } else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}
