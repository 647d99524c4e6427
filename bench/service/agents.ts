/**
 * The agents that are measured with: a thousand releases, each attested on a simulated machine whose evidence is real in every
 * byte but for its root, with a signing key of its own. Evidence must answer a challenge, so recorded evidence cannot be used.
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import {
  type SimulatedPlatform,
  simulatedSnp,
  simulatedTdx,
} from '../../enclave/simulator/agent.ts'
import { pemOf } from '../../enclave/simulator/pem.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { toBase64Url } from '../../src/bytes/encoding.ts'
import { PROOF_TYPE } from '../../src/rats/attestation-proof.ts'
import { type PublicKey, thumbprintOf } from '../../src/rats/public-key.ts'
import { type RuntimeClaims, reportDataOf } from '../../src/rats/runtime-claims.ts'
import { serialised } from './connection.ts'

export type MeasuredTee = 'sev-snp' | 'tdx'

export const PUBLIC_URL = 'https://attest.example.com'
const KEYS = 256

/** The same in every process that names the same instant. */
export function platforms(issued: Date): Readonly<Record<MeasuredTee, SimulatedPlatform<never>>> {
  const chance = seededChance('service bench')
  return { 'sev-snp': simulatedSnp({ chance, issued }), tdx: simulatedTdx({ chance, issued }) }
}

/** 48 bytes. */
export function measurementOf(agent: string): Uint8Array {
  return new Uint8Array(createHash('sha384').update(agent).digest())
}

interface AgentKey {
  readonly privateKey: KeyObject
  readonly jwk: PublicKey
  readonly jkt: string
}

export interface Fleet {
  /** Raw HTTP: what the agent number `n` sends in answer to `nonce`. */
  readonly attestation: (nonce: string, n: number) => Buffer
}

export function fleet(
  tee: MeasuredTee,
  { issued, releases }: { readonly issued: Date; readonly releases: number },
): Fleet {
  const platform = platforms(issued)[tee]
  const keys = Array.from({ length: KEYS }, bornKey)
  const endorsements = endorsementsJson(platform)
  return {
    attestation(nonce, n) {
      const key = keys[n % KEYS]
      if (!key) throw new RangeError('no such key')
      const agent = `agent-${n % releases}`
      const claims: RuntimeClaims = {
        nonce,
        verifier: `${PUBLIC_URL}/simulated`,
        sig_jkt: key.jkt,
        enc_jkt: '',
        tenant: 'default',
        agent,
        // As bench/policy-repository.ts writes them.
        environment: (n % releases) % 10 === 0 ? 'prod' : 'dev',
        session: '',
        seq: '0',
        transcript: '',
      }
      const { quote, auxblob } = platform.attest({
        reportData: reportDataOf(claims),
        measurement: measurementOf(agent),
      })
      const body = `{"evidence":${JSON.stringify({
        quote: toBase64Url(quote),
        ...(auxblob && { auxblob: toBase64Url(auxblob) }),
      })},"endorsements":${endorsements},"runtimeClaims":${JSON.stringify(claims)},"jwk":${JSON.stringify(key.jwk)}}`
      return serialised('POST', '/v1/attestations', {
        body,
        headers: { 'attestation-proof': proofOf(body, nonce, key) },
      })
    },
  }
}

function proofOf(body: string, nonce: string, { privateKey }: AgentKey): string {
  const payload = {
    nonce,
    bodySha256: createHash('sha256').update(body).digest('base64url'),
    htu: `${PUBLIC_URL}/v1/attestations`,
  }
  const signed = `${base64Url({ alg: 'ES256', typ: PROOF_TYPE })}.${base64Url(payload)}`
  const signature = sign('sha256', Buffer.from(signed), {
    key: privateKey,
    dsaEncoding: 'ieee-p1363',
  })
  return `${signed}.${signature.toString('base64url')}`
}

function base64Url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function bornKey(): AgentKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const jwk: PublicKey = { kty: 'EC', crv: 'P-256', x, y }
  return { privateKey, jwk, jkt: thumbprintOf(jwk) }
}

function endorsementsJson({ endorsements }: SimulatedPlatform<never>): string {
  const { certificates, crls, tcbInfos, qeIdentities } = endorsements
  const collateral = collateralOf({ tcbInfos, qeIdentities })
  return JSON.stringify({
    certificates: certificates.map(toBase64Url),
    crls: crls.map(toBase64Url),
    ...(collateral && { collateral }),
  })
}

function collateralOf({
  tcbInfos: [tcbInfo],
  qeIdentities: [qeIdentity],
}: Pick<SimulatedPlatform<never>['endorsements'], 'tcbInfos' | 'qeIdentities'>) {
  if (!tcbInfo || !qeIdentity) return undefined
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  return {
    tcb_info: text(tcbInfo.body),
    tcb_info_signature: hex(tcbInfo.signature),
    tcb_info_issuer_chain: pemOf(tcbInfo.issuerChain),
    qe_identity: text(qeIdentity.body),
    qe_identity_signature: hex(qeIdentity.signature),
    qe_identity_issuer_chain: pemOf(qeIdentity.issuerChain),
  }
}
