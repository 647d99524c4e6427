/** The application on a socket, with limits that a slow or silent client meets before it costs anything. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import type { Hono } from 'hono'
import { Problem } from '../problems.ts'

export interface ServerRequest {
  /** Made once the port is known, which is part of the issuer's name when any port will do. Requests wait for it. */
  readonly app: (port: number) => Promise<Application>
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  /** Whether any other port will do where somebody else listens on that one. */
  readonly orAnyPort?: boolean
}

/** It sees the socket that a request came in by. */
export type Application = Hono<{ Bindings: HttpBindings }>

export interface RunningServer {
  readonly port: number
  /** Takes no more requests, lets those that run end, and closes. */
  readonly close: () => Promise<void>
}

const limits = {
  /** A client that sends its headers or body a byte at a time is cut off. */
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16 * 1024,
}
const DRAIN_MS = 10_000

/** Throws Problem('configuration-invalid') when the address cannot be had. */
export async function startServer(request: ServerRequest): Promise<RunningServer> {
  const { app, host, orAnyPort = false } = request
  // Without http2 options the adapter makes a plain HTTP/1.1 server.
  let made: Promise<Application> | undefined
  const server = createAdaptorServer({
    fetch: async (incoming, env) => (await made)?.fetch(incoming, env),
    serverOptions: limits,
  }) as Server
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
  return { port: taken, close: () => drained(server) }
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
