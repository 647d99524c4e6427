/**
 * Tokens of a running service behind TLS, by the clock of this machine, which the libraries read too: good ones out of real
 * attestations (one simulated root counts as a vendor's here), and others that nobody must accept.
 */
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { anchorSet } from '#src/pki/anchor.ts'
import { type Issuer, signJwt, signToken } from '#src/token/issuer.ts'
import {
  claimsFor,
  openTokens,
  signedAttestation,
  signProof,
} from '../../../enclave/attestation.ts'
import { simulatedSnp } from '../../../enclave/simulator/agent.ts'
import { seededChance } from '../../../fixtures/seeded.ts'
import {
  agentOf,
  anchorsOf,
  goodMeasurement,
  manifest,
  policyOf,
  post,
  type RunningService,
  runService,
} from '../../http/running-service.ts'
import { type TlsFront, tlsFront } from './tls-front.ts'

export const AUDIENCE = 'gateway.example'
const OTHER_AUDIENCE = 'sts.amazonaws.com'
const POSSESSION_AUDIENCE = 'kms.example'
export const SUBJECT = 'spiffe://localhost/t/default/env/prod/agent/invoice-bot'

const DAY_MS = 24 * 3600_000

export interface Issued {
  readonly service: RunningService
  readonly front: TlsFront
  readonly federation: string
  readonly workload: string
  /** Each must be refused by whoever takes `federation` for AUDIENCE. */
  readonly refused: Readonly<Record<string, string>>
  /** Each must be refused by whoever takes `workload`. */
  readonly refusedWorkload: Readonly<Record<string, string>>
  readonly close: () => Promise<void>
}

export async function issued(): Promise<Issued> {
  const front = await tlsFront()
  const now = Date.now()
  const platforms = platformsSince(new Date(now - DAY_MS))
  const { anchors } = anchorsOf(platforms.hardware.anchors, 'hardware')
  const service = await runService({
    publicUrl: front.url,
    anchors: anchorSet([...anchors, ...anchorsOf(platforms.simulated.anchors).anchors]),
    policy: await policyOf(manifest((text) => withRules(inForce(text, now)))),
  })
  service.clock.at = new Date(now)
  front.passTo(service.address)

  const [federation = '', other = '', workload = ''] = await attested(service, {
    platform: platforms.hardware,
    issuer: front.url,
    audience: [AUDIENCE, OTHER_AUDIENCE, 'wit'],
  })
  const [possession = ''] = await attested(service, {
    platform: platforms.hardware,
    issuer: front.url,
    audience: [POSSESSION_AUDIENCE],
  })
  const [simulated = ''] = await attested(service, {
    platform: platforms.simulated,
    issuer: service.simulated,
    audience: [POSSESSION_AUDIENCE],
  })
  const { hardware, simulated: simulatedIssuer } = issuersOf(service)
  const at = service.clock.at
  return {
    service,
    front,
    federation,
    workload,
    refused: {
      'for another audience': other,
      'of the form for possession': possession,
      'of the form for workloads': workload,
      'of the issuer of simulated evidence': simulated,
      ...(await forged(federation, 'federation', { hardware, at })),
      'signed by the issuer of simulated evidence, in the name of the other': await signJwt(
        simulatedIssuer.signer('possession', at),
        'JWT',
        decodeJwt(federation),
      ),
    },
    refusedWorkload: {
      'of the form for federation': federation,
      'of the form for possession': possession,
      ...(await forged(workload, 'workload', { hardware, at })),
      'with an audience': await signToken(hardware, {
        form: 'workload',
        claims: { ...decodeJwt(workload), aud: AUDIENCE },
        at,
      }),
    },
    async close() {
      await service.close()
      await front.close()
    },
  }
}

function platformsSince(date: Date) {
  const chance = seededChance('service tests')
  return {
    hardware: simulatedSnp({ chance, issued: date }),
    simulated: simulatedSnp({ chance, issued: date }, 'Milan'),
  }
}

function inForce(text: string, now: number): string {
  const [from, to] = [now - DAY_MS, now + DAY_MS].map((time) =>
    new Date(time).toISOString().replace(/\.\d+Z$/, 'Z'),
  )
  return text
    .replace(/notBefore: \S+/, `notBefore: ${from}`)
    .replace(/notAfter: \S+/, `notAfter: ${to}`)
}

function withRules(text: string): string {
  return `${text}${[AUDIENCE, OTHER_AUDIENCE]
    .map((audience) => `    - audience: ${audience}\n      token: federation\n      ttl: 300s\n`)
    .join('')}    - audience: wit\n      token: workload\n      ttl: 300s\n`
}

/** Tokens in the order of `audience`. Throws where the service refuses. */
async function attested(
  service: RunningService,
  {
    platform,
    issuer,
    audience,
  }: {
    readonly platform: ReturnType<typeof simulatedSnp>
    readonly issuer: string
    readonly audience: readonly string[]
  },
): Promise<readonly string[]> {
  const { identity, keys } = await agentOf(service)
  const { json } = await post(`${service.address}/v1/challenges`, '{}')
  const claims = claimsFor({ ...identity, verifier: issuer }, keys, json.nonce)
  const { body } = await signedAttestation(claims, {
    service: service.url,
    keys,
    attester: {
      attest: (reportData) => platform.attest({ reportData, measurement: goodMeasurement }),
      endorsements: platform.endorsements,
    },
  })
  const text = JSON.stringify({ ...JSON.parse(body), audience })
  const proof = await signProof(text, { claims, service: service.url, key: keys.sig })
  const answer = await post(`${service.address}/v1/attestations`, text, {
    'attestation-proof': proof,
  })
  const opened = await openTokens(answer.json, keys)
  if (opened.length !== audience.length) throw new Error(JSON.stringify(answer.json))
  return opened.map(({ token }) => token)
}

function issuersOf({ verifier }: RunningService) {
  const { hardware, simulated } = verifier.tenants.get('default')?.issuers ?? {}
  if (!hardware || !simulated) throw new Error('the tenant has not both issuers')
  return { hardware, simulated }
}

/** Variations of a good token, most of them signed with the right key. */
async function forged(
  token: string,
  form: 'federation' | 'workload',
  { hardware, at }: { readonly hardware: Issuer; readonly at: Date },
): Promise<Readonly<Record<string, string>>> {
  const claims = decodeJwt(token)
  const { kid } = decodeProtectedHeader(token)
  const [header = '', , signature = ''] = token.split('.')
  const seconds = Math.floor(at.getTime() / 1000)
  const signed = async (change: object) =>
    await signToken(hardware, { form, claims: { ...claims, ...change }, at })
  const key = hardware.signer(form, at)
  const stranger = strangersKey(form)
  return {
    'altered after it was signed': [
      header,
      encoded({ ...claims, sub: `${SUBJECT}-of-mallory` }),
      signature,
    ].join('.'),
    'with another signature': token.slice(0, -8) + token.slice(-8).split('').reverse().join(''),
    expired: await signed({ iat: seconds - 1200, nbf: seconds - 1200, exp: seconds - 600 }),
    'not good yet': await signed({ iat: seconds + 600, nbf: seconds + 600, exp: seconds + 900 }),
    'signed by a stranger under our key id': await signJwt(
      { ...key, privateKey: stranger },
      String(decodeProtectedHeader(token).typ),
      claims,
    ),
    'without a signature': `${encoded({ alg: 'none', typ: 'JWT' })}.${encoded(claims)}.`,
    'signed with our public key as a secret': withSecret(
      { alg: 'HS256', kid, typ: decodeProtectedHeader(token).typ },
      claims,
      key.publicKey.export({ format: 'pem', type: 'spki' }),
    ),
  }
}

function strangersKey(form: 'federation' | 'workload'): KeyObject {
  return form === 'federation'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    : generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

function withSecret(header: object, claims: object, secret: string | Buffer): string {
  const signed = `${encoded(header)}.${encoded(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
