/**
 * What hears a client that does not speak HTTP, speaks it too slowly, or names no address of ours? The same kind of answer as
 * everybody, although no route is asked: written to the socket by hand, since there is no request that could be answered.
 */
import { randomBytes } from 'node:crypto'
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { Problem } from '../problems.ts'
import { problemResponse, problemText } from './problem-response.ts'
import { withHeaders } from './security-headers.ts'

/** How long a client may take to read the answer before its connection is torn down. */
const LINGER_MS = 500

/** For requests of which the adapter can make none: a Host or target that is no address. */
export function malformedRequest(_error: unknown): Response {
  const id = requestId()
  const problem = new Problem('request-malformed', 'the request names no address: Host or target')
  return withHeaders(problemResponse(problem, id), { requestId: id, publicUrl: '' })
}

/** From now on `server` answers each of these with a problem and closes the connection. */
export function answerMalformed(server: Server): void {
  const latest = new WeakMap<Duplex, ServerResponse>()
  const answered = new WeakSet<Duplex>()
  const answer = (socket: Duplex, problem: Problem) => {
    if (answered.has(socket)) return
    answered.add(socket)
    // Half an answer is on its way: nothing can be put behind it that the client would understand.
    const response = latest.get(socket)
    const isMidway = response?.headersSent === true && !response.writableEnded
    if (isMidway || !socket.writable) socket.destroy()
    else closeWith(socket, problem)
  }

  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    latest.set(incoming.socket, outgoing)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (error.code === 'ECONNRESET') socket.destroy()
    else answer(socket, problemOf(error))
  })
  // We are no proxy.
  server.on('connect', (_incoming: IncomingMessage, socket: Duplex) => {
    answer(socket, new Problem('method-unknown', 'no path takes CONNECT'))
  })
  server.on('checkExpectation', ({ socket }: IncomingMessage) => {
    answer(socket, new Problem('expectation-unknown', 'only 100-continue can be expected'))
  })
}

/** By the codes of Node's parser; the text of its errors is not ours to show. */
function problemOf({ code }: NodeJS.ErrnoException): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers-too-large', 'the request line and headers have above 16 KiB')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('body-too-large', 'the extensions of a chunk are too large')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request-timeout', 'the request did not arrive in time')
    default:
      return new Problem('request-malformed', 'this is not HTTP/1.1')
  }
}

function closeWith(socket: Duplex, problem: Problem): void {
  const { status, text, id } = problemText(problem, requestId())
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
    'cache-control: no-store',
    'x-content-type-options: nosniff',
    `x-request-id: ${id}`,
  ]
  // A client that never reads, or never stops sending, is not waited for.
  socket.once('error', () => {})
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`)
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

function requestId(): string {
  return randomBytes(12).toString('base64url')
}
