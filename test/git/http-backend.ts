/**
 * A loopback web server that hands out the repositories of one folder with git's own CGI, well or badly. What a badly
 * behaved one sends is written out from gitprotocol-v2 and gitformat-pack, and not taken from git.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { deflateSync } from 'node:zlib'

export type Behaviour =
  | { readonly kind: 'honest' }
  /** Takes the connection and never says a word. */
  | { readonly kind: 'silent' }
  /** One byte every few milliseconds, for ever: no time-out between bytes notices. */
  | { readonly kind: 'dribbling' }
  /** Packs end after so many bytes, and with them the connection. */
  | { readonly kind: 'truncating'; readonly after: number }
  /** Packs announce so many objects, and hold one blob of 60 kB after another until they are there. */
  | { readonly kind: 'pouring'; readonly objects: number }
  /** Packs hold the beginning of one tree that is said to have so many bytes. */
  | { readonly kind: 'boasting'; readonly bytes: number }
  /** Every request is sent on to another place. */
  | { readonly kind: 'redirecting'; readonly to: string }
  /** Every request gets this. */
  | { readonly kind: 'answering'; readonly status: number; readonly body: string }

export interface GitServer {
  /** Of a repository in the folder: `url('policy.git')`. */
  readonly url: (repository: string) => string
  /** `GET /policy.git/info/refs?service=git-upload-pack`, in order. */
  readonly requests: readonly string[]
  /** What each request said in its Authorization header. */
  readonly authorizations: readonly (string | undefined)[]
  readonly behave: (behaviour: Behaviour) => void
  readonly close: () => Promise<void>
}

export interface GitServerSettings {
  /** The folder whose repositories are handed out. */
  readonly root: string
  /** Without exactly this Authorization header the answer is 401. */
  readonly authorization?: string
  readonly tls?: { readonly key: string; readonly cert: string }
}

export async function gitServer(settings: GitServerSettings): Promise<GitServer> {
  const requests: string[] = []
  const authorizations: (string | undefined)[] = []
  let behaviour: Behaviour = { kind: 'honest' }

  const listener = (request: IncomingMessage, response: ServerResponse) => {
    requests.push(`${request.method} ${request.url}`)
    authorizations.push(request.headers.authorization)
    // A client that gives up closes its end, which is what several tests are about.
    response.on('error', () => {})
    if (settings.authorization && request.headers.authorization !== settings.authorization)
      response.writeHead(401, { 'WWW-Authenticate': 'Bearer' }).end('who are you?\n')
    else answer(behaviour, settings.root, request, response)
  }
  const server: Server = settings.tls
    ? createTlsServer(settings.tls, listener)
    : createServer(listener)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const scheme = settings.tls ? 'https' : 'http'
  return {
    url: (repository) => `${scheme}://127.0.0.1:${port}/${repository}`,
    requests,
    authorizations,
    behave(next) {
      behaviour = next
    },
    async close() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}

function answer(
  behaviour: Behaviour,
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  switch (behaviour.kind) {
    case 'silent':
      return
    case 'dribbling':
      dribble(request, response)
      return
    case 'redirecting':
      response.writeHead(302, { Location: `${behaviour.to}${request.url}` }).end()
      return
    case 'answering':
      response.writeHead(behaviour.status, { 'Content-Type': 'text/plain' }).end(behaviour.body)
      return
    case 'honest':
    case 'truncating':
    case 'pouring':
    case 'boasting':
      void askBackend(root, request).then((answered) => send(behaviour, answered, response))
  }
}

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** RFC 3875, as far as git uses it. */
async function askBackend(root: string, request: IncomingMessage): Promise<Answered> {
  const body = await everythingOf(request)
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const { headers } = request
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method ?? '',
      PATH_INFO: decodeURIComponent(path),
      QUERY_STRING: query,
      CONTENT_TYPE: headers['content-type'] ?? '',
      CONTENT_LENGTH: String(body.length),
      HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
      HTTP_GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
      GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  backend.stdin.on('error', () => {})
  backend.stdin.end(body)
  const output = await everythingOf(backend.stdout)
  const end = output.indexOf('\r\n\r\n')
  const lines = output.toString('latin1', 0, end).split('\r\n')
  const fields = Object.fromEntries(
    lines.map((line) => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]),
  )
  const { Status: status = '200', ...rest } = fields
  return { status: Number.parseInt(status, 10), headers: rest, body: output.subarray(end + 4) }
}

async function everythingOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function send(
  behaviour: Behaviour,
  { status, headers, body }: Answered,
  response: ServerResponse,
): void {
  // `packfile` begins the section of protocol version 2 that holds the pack.
  const start = body.indexOf('000dpackfile\n')
  if (behaviour.kind === 'truncating' && start >= 0) {
    // A promised length, so that the early end is no orderly one.
    response.writeHead(status, { ...headers, 'Content-Length': String(body.length) })
    response.write(body.subarray(0, start + behaviour.after), () => response.destroy())
  } else if (behaviour.kind === 'pouring' && start >= 0) {
    response.writeHead(status, headers)
    response.write(body.subarray(0, start + '000dpackfile\n'.length))
    pourPack(response, behaviour.objects)
  } else if (behaviour.kind === 'boasting' && start >= 0) {
    response.writeHead(status, headers)
    response.write(body.subarray(0, start + '000dpackfile\n'.length))
    response.write(band(packHeader(1)))
    const tree = deflateSync(new Uint8Array(1000))
    response.end(band(Buffer.concat([objectHeader(2, behaviour.bytes), tree])))
  } else response.writeHead(status, headers).end(body)
}

/** Different blobs until all are sent or the client hangs up. */
function pourPack(response: ServerResponse, objects: number): void {
  response.write(band(packHeader(objects)))
  let left = objects
  const pour = () => {
    if (response.destroyed) return
    if (left-- === 0) return void response.end()
    const blob = deflateSync(randomBytes(60_000), { level: 0 })
    const isFlowing = response.write(band(Buffer.concat([objectHeader(3, 60_000), blob])))
    if (isFlowing) setImmediate(pour)
    else response.once('drain', pour)
  }
  pour()
}

/** `PACK`, version 2, the number of objects. */
function packHeader(objects: number): Buffer {
  const header = Buffer.from('5041434b0000000200000000', 'hex')
  header.writeUInt32BE(objects, 8)
  return header
}

/** Three bits of type and four of size, then seven of size in each byte, the lowest first; the highest bit says that more follow. */
function objectHeader(type: number, size: number): Buffer {
  const octets = [(type << 4) | (size % 16)]
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    octets[octets.length - 1] = (octets.at(-1) ?? 0) | 0x80
    octets.push(rest % 128)
  }
  return Buffer.from(octets)
}

/** A packet line of side band 1: its length in hex with itself, the band, the bytes. */
function band(bytes: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from((bytes.length + 5).toString(16).padStart(4, '0')),
    Buffer.from([1]),
    bytes,
  ])
}

function dribble(request: IncomingMessage, response: ServerResponse): void {
  const service = /service=([a-z-]+)/.exec(request.url ?? '')?.[1] ?? 'git-upload-pack'
  response.writeHead(200, { 'Content-Type': `application/x-${service}-advertisement` })
  const timer = setInterval(() => response.write('0'), 5)
  response.on('close', () => clearInterval(timer))
}
