/** An agent that got a token of possession, presents it, and proves whatever the test wants proved. */
import { createHash, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { type Possession, provePossession } from '#src/service/possession.ts'
import { type AgentKeys, openTokens } from '../../enclave/attestation.ts'
import { attestAt } from '../http/attempt.ts'
import { AT, agentOf, type RunningService, runService } from '../http/running-service.ts'

export const PATH = '/v1/releases'

/** Good but for what is changed; what is undefined is left out. */
export interface MadeProof {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
  readonly key?: Parameters<SignJWT['sign']>[0]
}

export interface Presenting {
  readonly service: RunningService
  readonly keys: AgentKeys
  /** Another one for each test. */
  readonly token: string
  readonly jti: string
  readonly proof: (made?: MadeProof) => Promise<string>
  readonly prove: (change?: Partial<Possession>, at?: Date) => ReturnType<typeof provePossession>
}

/** For a whole file: its service starts before the tests and ends after them. */
export function presenting(): Presenting {
  const scene: { -readonly [Name in keyof Presenting]?: Presenting[Name] } = {}
  // Every member is set before the first test runs.
  const made = scene as Presenting
  beforeAll(async () => {
    scene.service = await runService()
    scene.keys = (await agentOf(scene.service)).keys
  })
  afterAll(() => made.service.close())
  beforeEach(async () => {
    made.service.clock.at = AT
    const { json } = await attestAt(made.service)
    scene.token = (await openTokens(json, made.keys))[0]?.token ?? 'none'
    scene.jti = json.tokens[0].jti
  })
  scene.proof = async ({ header = {}, claims = {}, key = made.keys.sig.privateKey } = {}) => {
    const payload = {
      jti: randomUUID(),
      htm: 'POST',
      htu: `${made.service.url}${PATH}`,
      iat: AT.getTime() / 1000,
      ath: sha256(made.token),
      ...claims,
    }
    return await new SignJWT(JSON.parse(JSON.stringify(payload)))
      .setProtectedHeader({
        typ: 'dpop+jwt',
        alg: 'ES256',
        jwk: { ...made.keys.sig.publicKey },
        ...header,
      })
      .sign(key)
  }
  scene.prove = async (change = {}, at = AT) =>
    await provePossession(
      made.service.verifier,
      {
        token: made.token,
        proof: await made.proof(),
        method: 'POST',
        // Whoever sends a request chooses its Host.
        url: `https://chosen-by-the-sender.example${PATH}?a=b`,
        audiences: 'any',
        ...change,
      },
      { at },
    )
  return made
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

const refusing = (code: string, says: string): unknown =>
  expect.objectContaining({ code, detail: expect.stringContaining(says) })
export const proofRefused = (says: string) => refusing('possession-proof-refused', says)
export const tokenRefused = (says: string) => refusing('possession-token-refused', says)

export function unsecured(jws: string): string {
  const [header = '', payload = ''] = jws.split('.')
  const none = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), alg: 'none' }
  return `${Buffer.from(JSON.stringify(none)).toString('base64url')}.${payload}.`
}

/** Another signature, in canonical base64url. */
export function changed(jws: string): string {
  const [header, payload, signature = ''] = jws.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  bytes[10] = (bytes[10] ?? 0) ^ 1
  return [header, payload, bytes.toString('base64url')].join('.')
}
