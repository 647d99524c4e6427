/**
 * A witness over HTTP: C2SP tlog-witness, `POST /add-checkpoint`; and `GET /checkpoint`, what was cosigned last, for a log
 * whose database was restored.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LARGEST_SUBMISSION } from '../log/add-checkpoint.ts'
import { Mistake } from './arguments.ts'
import type { Witness, WitnessAnswer } from './log-witness-state.ts'

export interface ServedWitness {
  readonly address: string
  readonly close: () => Promise<void>
}

const limits = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 8 * 1024,
}
const MOST_CONNECTIONS = 64
const TEXT = 'text/plain; charset=utf-8'

/** `HOST:PORT`; IPv6 addresses in brackets. Throws Mistake. */
export function listeningOn(text: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^(\[[0-9a-f:]+\]|[^:]+):(\d{1,5})$/i.exec(text) ?? []
  if (host === '' || Number(port) > 65535)
    throw new Mistake(`--listen ${text} is no HOST:PORT.`, 'Write it as 127.0.0.1:7380.')
  return { host: host.replace(/[[\]]/g, ''), port: Number(port) }
}

/** Throws Mistake when the address cannot be had. */
export async function serveWitness(
  { host, port }: { readonly host: string; readonly port: number },
  witness: Witness,
): Promise<ServedWitness> {
  const server = createServer(limits, async (request, response) => {
    const { status, contentType, body } = await answerTo(request, witness)
    response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' })
    response.end(body)
  })
  server.maxConnections = MOST_CONNECTIONS
  await listening(server, { host, port })
  // A TCP server that listens has an address with a port.
  const taken = (server.address() as AddressInfo).port
  return {
    address: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type Answer = Omit<WitnessAnswer, 'reason'>

async function answerTo(request: IncomingMessage, { add, latest }: Witness): Promise<Answer> {
  if (request.url === '/checkpoint' && request.method === 'GET') {
    const note = latest()
    return note === undefined
      ? refused(404, 'nothing was cosigned yet')
      : { status: 200, contentType: TEXT, body: note }
  }
  if (request.url !== '/add-checkpoint')
    return refused(404, 'a witness answers POST /add-checkpoint')
  if (request.method !== 'POST') return refused(405, 'use POST')
  try {
    const body = await bodyOf(request)
    return body === undefined ? refused(413, 'too large') : await add(body)
  } catch {
    // Whatever it was, nothing was cosigned.
    return refused(500, 'the witness failed')
  }
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > LARGEST_SUBMISSION) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function refused(status: number, body: string): Answer {
  return { status, contentType: TEXT, body: `${body}\n` }
}

async function listening(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new Mistake(
          `cannot listen on ${host}:${port}: ${cause.message}.`,
          'Name an address that is free.',
        ),
      ),
    )
    server.listen(port, host, resolve)
  })
}
