/** The application on a socket, with limits that a slow or silent client meets before it costs anything. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import type { Hono } from 'hono'
import { Problem } from '../problems.ts'
import type { ConnectionShares } from './guard/connections.ts'
import { answerMalformed, malformedRequest } from './malformed-http.ts'

export interface ServerRequest {
  /** Made once the port is known, which is part of the issuer's name when any port will do. Requests wait for it. */
  readonly app: (port: number) => Promise<Application>
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  /** Whether any other port will do where somebody else listens on that one. */
  readonly orAnyPort?: boolean
  /** Lets go of the port for it, where somebody holds it until then. */
  readonly beforeListening?: () => Promise<void>
  /** More are closed as they come. Default: as many as the system gives. */
  readonly mostConnections?: number
  /** Whose connection is beyond its peer's share is closed as it comes. Default: nobody's. */
  readonly connections?: ConnectionShares
  /** For tests, which do not wait for long. */
  readonly timeouts?: Partial<typeof timeouts>
}

/** It sees the socket that a request came in by. */
export type Application = Hono<{ Bindings: HttpBindings }>

export interface RunningServer {
  readonly port: number
  /** From now on every answer asks its client to close the connection: what comes on a kept one when we close would be lost. */
  readonly retire: () => void
  /** Takes no more requests, lets those that run end, and closes. */
  readonly close: () => Promise<void>
}

/** A client that sends its headers or body a byte at a time is cut off, and so is one that reads nothing. Milliseconds. */
const timeouts = {
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 5_000,
}
const SILENT_SOCKET_MS = 120_000
const LARGEST_HEADERS = 16 * 1024
const DRAIN_MS = 10_000

/** Throws Problem('configuration-invalid') when the address cannot be had. */
export async function startServer(request: ServerRequest): Promise<RunningServer> {
  const { app, host, orAnyPort = false } = request
  let made: Promise<Application> | undefined
  let isRetiring = false
  const retire = () => {
    isRetiring = true
  }
  const listener = getRequestListener(
    async (incoming, env) => (await made)?.fetch(incoming, env as HttpBindings) ?? unready(),
    { errorHandler: malformedRequest },
  )
  const server = createServer(
    // Who names no host hears so in our words: Node's own answer would be no problem document.
    {
      ...timeouts,
      ...request.timeouts,
      maxHeaderSize: LARGEST_HEADERS,
      requireHostHeader: false,
    },
    (incoming, outgoing) => {
      const isCrowding = request.connections?.isBeyondShare(incoming.socket.remoteAddress) ?? false
      if (isRetiring || isCrowding) outgoing.shouldKeepAlive = false
      void listener(incoming, outgoing)
    },
  )
  server.timeout = SILENT_SOCKET_MS
  if (request.mostConnections !== undefined) server.maxConnections = request.mostConnections
  if (request.connections) shareConnections(server, request.connections)
  answerMalformed(server)
  await request.beforeListening?.()
  await listening(server, request).catch((cause) => {
    if (!orAnyPort || !isTaken(cause)) throw cause
    return listening(server, { host, port: 0 })
  })
  // A TCP server that listens has an address with a port.
  const taken = (server.address() as AddressInfo).port
  made = app(taken)
  try {
    await made
  } catch (cause) {
    server.closeAllConnections()
    await drained(server)
    throw cause
  }
  return {
    port: taken,
    retire,
    close() {
      retire()
      return drained(server)
    },
  }
}

function shareConnections(server: Server, { enter }: ConnectionShares): void {
  server.on('connection', (socket) => {
    const leave = enter(socket.remoteAddress)
    if (leave) socket.once('close', leave)
    else socket.destroy()
  })
}

/** Requests wait for the application, so that there is one, or the server closes. */
function unready(): never {
  throw new Error('there is no application')
}

/** Throws Problem('configuration-invalid'). */
async function listening(
  server: Server,
  { host, port }: Pick<ServerRequest, 'host' | 'port'>,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: Error) =>
      reject(
        new Problem('configuration-invalid', `cannot listen on ${host}:${port}: ${cause.message}`, {
          cause,
        }),
      )
    server.once('error', failed)
    server.listen(port, host, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

function isTaken({ cause }: Problem): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'
}

async function drained(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
  await closed
  clearTimeout(deadline)
}
