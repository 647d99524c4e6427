/** Agents that were attested by the service that is measured, and the requests with which they ask for a secret. */
import { createHash, createPrivateKey, randomUUID, sign } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import {
  type AgentKey,
  type AgentKeys,
  claimsFor,
  openTokens,
  signedAttestation,
} from '../../enclave/attestation.ts'
import { type PublicKey, thumbprintOf } from '../../src/rats/public-key.ts'
import { measurementOf, PUBLIC_URL, platforms } from './agents.ts'
import { openConnection, serialised } from './connection.ts'

export const RESOURCE = 'secret:measured'

/** What a load generator needs: it is another process. */
export interface AttestedAgent {
  readonly token: string
  readonly publicKey: PublicKey
  /** PKCS #8, PEM. */
  readonly privateKey: string
  readonly encJwk: PublicKey
}

export async function attestedAgents({
  port,
  count,
  issued,
}: {
  readonly port: number
  readonly count: number
  readonly issued: Date
}): Promise<readonly AttestedAgent[]> {
  const platform = platforms(issued)['sev-snp']
  const connection = await openConnection(port)
  const ask = async (path: string, body: string, headers: Record<string, string> = {}) => {
    const answer = await connection.ask(serialised('POST', path, { body, headers }))
    const text = answer.body.toString('utf8')
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${text}`)
    return JSON.parse(text)
  }
  const agents: AttestedAgent[] = []
  for (let n = 0; n < count; n++) {
    const agent = `agent-${n}`
    const sig = await exportableKey('ES256')
    const keys: AgentKeys = { sig: sig.key, enc: (await exportableKey('ECDH-ES')).key }
    const { nonce } = await ask('/v1/challenges', '{}')
    const identity = {
      tenant: 'default',
      // As bench/policy-repository.ts writes them.
      environment: n % 10 === 0 ? 'prod' : 'dev',
      agent,
      verifier: `${PUBLIC_URL}/simulated`,
    }
    const { body, proof } = await signedAttestation(claimsFor(identity, keys, nonce), {
      service: PUBLIC_URL,
      keys,
      audiences: [PUBLIC_URL],
      attester: {
        attest: (reportData) => platform.attest({ reportData, measurement: measurementOf(agent) }),
        endorsements: platform.endorsements,
      },
    })
    const answer = await ask('/v1/attestations', body, { 'attestation-proof': proof })
    const [opened] = await openTokens(answer, keys)
    if (!opened) throw new Error('there is no token')
    agents.push({
      token: opened.token,
      publicKey: keys.sig.publicKey,
      privateKey: sig.pem,
      encJwk: keys.enc.publicKey,
    })
  }
  connection.close()
  return agents
}

/** Raw HTTP, each with a proof of its own. */
export function releaseRequests(
  agents: readonly AttestedAgent[],
  requests: number,
): readonly Buffer[] {
  const ready = agents.map(({ token, publicKey, privateKey, encJwk }) => {
    const body = JSON.stringify({ resource: RESOURCE, encJwk })
    return {
      token,
      body,
      key: createPrivateKey(privateKey),
      header: base64Url({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicKey }),
      ath: sha256(token),
      bodySha256: sha256(body),
    }
  })
  return Array.from({ length: requests }, (_, n) => {
    const agent = ready[n % ready.length]
    if (!agent) throw new RangeError('there are no agents')
    const { token, body, key, header, ath, bodySha256 } = agent
    const claims = {
      jti: randomUUID(),
      htm: 'POST',
      htu: `${PUBLIC_URL}/v1/releases`,
      iat: Math.floor(Date.now() / 1000),
      ath,
      bodySha256,
    }
    const signed = `${header}.${base64Url(claims)}`
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
    const dpop = `${signed}.${signature.toString('base64url')}`
    const headers = { authorization: `DPoP ${token}`, dpop }
    return serialised('POST', '/v1/releases', { body, headers })
  })
}

async function exportableKey(algorithm: 'ES256' | 'ECDH-ES') {
  const pair = await generateKeyPair(algorithm, { crv: 'P-256', extractable: true })
  const jwk = await exportJWK(pair.privateKey)
  const { x = '', y = '' } = jwk
  const publicKey: PublicKey = { kty: 'EC', crv: 'P-256', x, y }
  const key: AgentKey = {
    privateKey: pair.privateKey,
    publicKey,
    thumbprint: thumbprintOf(publicKey),
  }
  const pem = createPrivateKey({ key: { ...publicKey, d: jwk.d ?? '' }, format: 'jwk' })
  return { key, pem: pem.export({ format: 'pem', type: 'pkcs8' }).toString() }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function base64Url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
