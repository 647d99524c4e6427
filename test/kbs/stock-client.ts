/**
 * What the stock Key Broker client does, written from its behaviour (confidential-containers/guest-components, kbs_protocol):
 * it keeps cookies, binds evidence by JCS, and opens a JWE under the header that it writes again itself, not the one received.
 * Nothing here is shared with the service.
 */
import {
  constants,
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
} from 'node:crypto'

export type KeyKind = 'P-256' | 'P-521' | 'RSA'

export interface ClientKey {
  readonly privateKey: KeyObject
  /** In the order of the client's own types. */
  readonly jwk: Readonly<Record<string, string>>
}

export function clientKey(kind: KeyKind, rsaBits = 2048): ClientKey {
  if (kind === 'RSA') {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: rsaBits })
    const { n = '', e = '' } = publicKey.export({ format: 'jwk' })
    return { privateKey, jwk: { kty: 'RSA', alg: 'RSA-OAEP-256', n, e } }
  }
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: kind })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  return { privateKey, jwk: { kty: 'EC', crv: kind, alg: 'ECDH-ES+A256KW', x, y } }
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

/** RFC 8785 for what this protocol binds: strings within objects. */
export function jcs(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (isList(value)) return `[${value.map(jcs).join(',')}]`
  const members = Object.keys(value).toSorted()
  return `{${members.map((name) => `${JSON.stringify(name)}:${jcs(value[name] ?? null)}`).join(',')}}`
}

/** JSON as serde_json writes a map without `preserve_order`: sorted all the way down. */
function sorted(value: Json): Json {
  if (value === null || typeof value !== 'object' || isList(value)) return value
  const names = Object.keys(value).toSorted()
  return Object.fromEntries(names.map((name) => [name, sorted(value[name] ?? null)]))
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

export interface Jwe {
  readonly protected: string
  readonly encrypted_key: string
  readonly iv: string
  readonly ciphertext: string
  readonly tag: string
}

/** `ordering`: how the client's JSON library was built. */
export function openJwe(
  jwe: Jwe,
  { privateKey }: ClientKey,
  ordering: 'sorted' | 'as received' = 'sorted',
): Buffer {
  const header = JSON.parse(Buffer.from(jwe.protected, 'base64url').toString())
  const { alg, enc, ...others } = header
  const again = { alg, enc, ...(ordering === 'sorted' ? Object(sorted(others)) : others) }
  const aad = Buffer.from(JSON.stringify(again)).toString('base64url')
  const wrapped = Buffer.from(jwe.encrypted_key, 'base64url')
  const key =
    alg === 'RSA-OAEP-256'
      ? privateDecrypt(
          { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
          wrapped,
        )
      : unwrapped(wrapped, privateKey, header.epk)
  const cipher = createDecipheriv('aes-256-gcm', key, Buffer.from(jwe.iv, 'base64url'))
  cipher.setAAD(Buffer.from(aad, 'ascii'))
  cipher.setAuthTag(Buffer.from(jwe.tag, 'base64url'))
  return Buffer.concat([cipher.update(Buffer.from(jwe.ciphertext, 'base64url')), cipher.final()])
}

function unwrapped(
  wrapped: Buffer,
  privateKey: KeyObject,
  { kty, crv, x, y }: { kty: string; crv: string; x: string; y: string },
): Buffer {
  const publicKey = createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
  const secret = diffieHellman({ privateKey, publicKey })
  const uint32 = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return bytes
  }
  const algorithm = Buffer.from('ECDH-ES+A256KW')
  const kek = createHash('sha256')
    .update(Buffer.concat([uint32(1), secret, uint32(algorithm.length), algorithm]))
    .update(Buffer.concat([uint32(0), uint32(0), uint32(256)]))
    .digest()
  const unwrap = createDecipheriv('id-aes256-wrap', kek, Buffer.alloc(8, 0xa6))
  return Buffer.concat([unwrap.update(wrapped), unwrap.final()])
}

/** What goes into a report, given the digest that the protocol binds: the JSON of the evidence, as text. */
export type Evidence = (digest: Buffer) => string

export const sampleEvidence: Evidence = (digest) =>
  JSON.stringify({ svn: '1', report_data: digest.toString('base64') })

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: whatever the service answers
  readonly json: any
  readonly text: string
}

export class StockClient {
  readonly #url: string
  readonly key: ClientKey
  readonly #tee: string
  readonly #evidence: Evidence
  cookie: string | undefined
  token: string | undefined

  constructor({
    url,
    key = clientKey('P-256'),
    tee = 'sample',
    evidence = sampleEvidence,
  }: {
    readonly url: string
    readonly key?: ClientKey
    readonly tee?: string
    readonly evidence?: Evidence
  }) {
    this.#url = `${url}/kbs/v0`
    this.key = key
    this.#tee = tee
    this.#evidence = evidence
  }

  async auth(body: object = {}): Promise<Answer> {
    return await this.#send('/auth', {
      method: 'POST',
      body: JSON.stringify({
        version: '0.4.0',
        tee: this.#tee,
        'extra-params': { 'supported-hash-algorithms': ['sha256', 'sha384', 'sha512', 'sm3'] },
        ...body,
      }),
    })
  }

  /** The body of /attest for a nonce, as protocol 0.4.0 has it; `bound`: over which key and text the evidence is made. */
  answerTo(
    nonce: string,
    {
      algorithm = 'sha384',
      additional = '',
      initData,
      boundNonce = nonce,
    }: {
      readonly algorithm?: string
      readonly additional?: string
      readonly initData?: string
      readonly boundNonce?: string
    } = {},
  ): string {
    const { jwk } = this.key
    const bound = jcs({ 'additional-evidence': additional, nonce: boundNonce, 'tee-pubkey': jwk })
    const evidence = this.#evidence(createHash(algorithm).update(bound).digest())
    const init = initData === undefined ? null : { format: 'toml', body: initData }
    return `{"init-data":${JSON.stringify(init)},"runtime-data":${JSON.stringify({
      nonce,
      'tee-pubkey': jwk,
    })},"tee-evidence":{"primary_evidence":${evidence},"additional_evidence":${JSON.stringify(additional)}}}`
  }

  /** The body of /attest as protocol 0.2.0 has it. `ordering`: how the client's JSON library was built. */
  plainAnswerTo(nonce: string, ordering: 'sorted' | 'as typed' = 'sorted'): string {
    const { jwk } = this.key
    const text =
      ordering === 'sorted'
        ? jcs({ nonce, 'tee-pubkey': jwk })
        : JSON.stringify({ 'tee-pubkey': jwk, nonce })
    const evidence = this.#evidence(createHash('sha384').update(text).digest())
    return `{"tee-pubkey":${JSON.stringify(jwk)},"tee-evidence":${evidence}}`
  }

  async attest(body: string): Promise<Answer> {
    const answer = await this.#send('/attest', { method: 'POST', body })
    if (answer.status === 200) this.token = answer.json.token
    return answer
  }

  /** Both steps of protocol 0.4.0. */
  async handshake(): Promise<Answer> {
    const { json } = await this.auth()
    const algorithm = json['extra-params']['selected-hash-algorithm']
    return await this.attest(
      this.answerTo(json.nonce, algorithm === undefined ? {} : { algorithm }),
    )
  }

  async resource(path: string, by: 'cookie' | 'token' = 'cookie'): Promise<Answer> {
    const headers = by === 'token' ? { authorization: `Bearer ${this.token}`, cookie: '' } : {}
    return await this.#send(`/resource/${path}`, { headers })
  }

  async secret(path: string, by: 'cookie' | 'token' = 'cookie'): Promise<string> {
    const { status, json, text } = await this.resource(path, by)
    if (status !== 200) throw new Error(`${status} ${text}`)
    return openJwe(json, this.key).toString()
  }

  async #send(path: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(`${this.#url}${path}`, {
      ...init,
      headers: {
        ...(init.method === 'POST' && { 'content-type': 'application/json' }),
        ...(this.cookie && { cookie: this.cookie }),
        ...init.headers,
      },
    })
    const [cookie] = response.headers.getSetCookie()
    if (cookie !== undefined) this.cookie = cookie.split(';')[0]
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: jsonOf(text) }
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
