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
export async function startServer({ app, host, port }: ServerRequest): Promise<RunningServer> {
  // Without http2 options the adapter makes a plain HTTP/1.1 server.
  let made: Promise<Application> | undefined
  const server = createAdaptorServer({
    fetch: async (request, env) => (await made)?.fetch(request, env),
    serverOptions: limits,
  }) as Server
  await new Promise<void>((listening, failed) => {
    server.once('error', (cause) =>
      failed(
        new Problem('configuration-invalid', `cannot listen on ${host}:${port}: ${cause.message}`, {
          cause,
        }),
      ),
    )
    server.listen(port, host, () => listening())
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

async function drained(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
  await closed
  clearTimeout(deadline)
}
