/**
 * A transit engine on a loopback port, as the API documentation of HashiCorp Vault and OpenBao has it: versions of a key with
 * the prefix `vault:v1:`, associated data, `{"errors": [...]}` for every status from 400 on, 403 for a token that may not, 503
 * while sealed. It encrypts in earnest, AES-256-GCM with a nonce of 96 bits, as a key of type aes256-gcm96. What it says in
 * words is what OpenBao 2.7.2 says to a token that may not make keys; key-encryption-openbao.test.ts asks that itself.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface TransitRequest {
  readonly path: string
  readonly token: string | undefined
  readonly namespace: string | undefined
  readonly body: Readonly<Record<string, string>>
}

export interface TransitServer {
  readonly url: string
  readonly requests: readonly TransitRequest[]
  /** What it is in the mind to do; changed by tests while it runs. */
  readonly mood: {
    sealed: boolean
    /** The token that may do all of it. */
    token: string
    /** Paths below the mount that the token may not. */
    forbidden: readonly string[]
    /** Versions of keys by name; the last encrypts. */
    keys: Record<string, Buffer[]>
    minDecryptionVersion: number
    /** As Vault before 1.13: `associated_data` is a parameter like any other that is not known. */
    ignoresAssociatedData: boolean
    /** In place of an answer. */
    answer: ((request: TransitRequest, response: ServerResponse) => void) | undefined
  }
  readonly close: () => Promise<void>
}

const NONCE = 12
const TAG = 16

export async function transitServer({
  mount = 'transit',
  tls,
}: {
  readonly mount?: string
  readonly tls?: { readonly key: string; readonly cert: string }
} = {}): Promise<TransitServer> {
  const requests: TransitRequest[] = []
  const mood: TransitServer['mood'] = {
    sealed: false,
    token: 'hvs.transit-token',
    forbidden: [],
    keys: { vouchsafe: [randomBytes(32)] },
    minDecryptionVersion: 1,
    ignoresAssociatedData: false,
    answer: undefined,
  }
  const answered = async (incoming: IncomingMessage, response: ServerResponse) => {
    const request = {
      path: incoming.url ?? '',
      token: String(incoming.headers['x-vault-token']),
      namespace: incoming.headers['x-vault-namespace']?.toString(),
      body: JSON.parse(await text(incoming)),
    }
    requests.push(request)
    if (mood.answer) return mood.answer(request, response)
    const { status, document } = judged(request, mood, mount)
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(`${JSON.stringify(document)}\n`)
  }
  const listener = (incoming: IncomingMessage, response: ServerResponse) => {
    void answered(incoming, response)
  }
  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP server's address is no path.
  const { port } = server.address() as AddressInfo
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    requests,
    mood,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Answer {
  readonly status: number
  readonly document: unknown
}

const errors = (status: number, ...said: readonly string[]): Answer => ({
  status,
  document: { errors: said },
})

function judged(
  { path, token, namespace, body }: TransitRequest,
  mood: TransitServer['mood'],
  mount: string,
): Answer {
  if (mood.sealed) return errors(503, 'Vault is sealed')
  const [verb = '', name = ''] = path.startsWith(`/v1/${mount}/`)
    ? path.slice(`/v1/${mount}/`.length).split('/')
    : []
  if (namespace === undefined && verb === '')
    return errors(404, `no handler for route "${path.slice(4)}". route entry not found.`)
  if (token !== mood.token) return errors(403, 'permission denied')
  const versions = mood.keys[name]
  if (mood.forbidden.includes(`${verb}/${name}`) || (verb === 'encrypt' && !versions))
    return errors(403, '1 error occurred:\n\t* permission denied\n\n')
  if (!versions) return errors(400, 'encryption key not found')
  const bound = mood.ignoresAssociatedData ? '' : (body.associated_data ?? '')
  const done =
    verb === 'encrypt'
      ? { ciphertext: encrypt(versions, body.plaintext ?? '', bound) }
      : decrypt(versions, { ciphertext: body.ciphertext ?? '', bound, mood })
  if (typeof done === 'string') return errors(400, done)
  const ignored = mood.ignoresAssociatedData && 'associated_data' in body
  return {
    status: 200,
    document: {
      request_id: '8375227a-4a9f-a108-0b89-84c448419e80',
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      data: done,
      wrap_info: null,
      warnings: ignored
        ? ['Endpoint ignored these unrecognized parameters: [associated_data]']
        : null,
      auth: null,
    },
  }
}

function encrypt(versions: readonly Buffer[], plaintext: string, bound: string): string {
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', versions.at(-1) ?? '', nonce)
  cipher.setAAD(Buffer.from(bound, 'base64'))
  const sealed = Buffer.concat([
    nonce,
    cipher.update(Buffer.from(plaintext, 'base64')),
    cipher.final(),
    cipher.getAuthTag(),
  ])
  return `vault:v${versions.length}:${sealed.toString('base64')}`
}

function decrypt(
  versions: readonly Buffer[],
  {
    ciphertext,
    bound,
    mood,
  }: {
    readonly ciphertext: string
    readonly bound: string
    readonly mood: TransitServer['mood']
  },
): { readonly plaintext: string } | string {
  const [, number = '', base64 = ''] = /^vault:v(\d+):(.+)$/.exec(ciphertext) ?? []
  const key = versions[Number(number) - 1]
  if (!key) return 'invalid ciphertext: no prefix'
  if (Number(number) < mood.minDecryptionVersion)
    return 'ciphertext or signature version is disallowed by policy (too old)'
  const sealed = Buffer.from(base64, 'base64')
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE))
    decipher.setAAD(Buffer.from(bound, 'base64')).setAuthTag(sealed.subarray(-TAG))
    const open = Buffer.concat([decipher.update(sealed.subarray(NONCE, -TAG)), decipher.final()])
    return { plaintext: open.toString('base64') }
  } catch {
    return 'cipher: message authentication failed'
  }
}
