/**
 * `POST /attestation`: evidence that another service collected, such as a stock Key Broker, judged for it. That service ran the
 * handshake, so the freshness of the nonce is its own care; the evidence is judged, bound and kept as any other. Unlike
 * Trustee's, no token says of evidence that it was refused: then there is none. What is issued has a row and a place in a status
 * list as every token, so that it ends when an operator, the policy or a vendor says so.
 */
import { toHex } from '../bytes/encoding.ts'
import {
  type BrokerHash,
  canonicalTree,
  reportDataOfText,
  type StringTree,
} from '../rats/broker-binding.ts'
import type { ExactJson } from '../tee/sev-snp/json-rows.ts'
import { signBrokerToken } from '../token/broker-token.ts'
import { appraiseForBroker, type BrokerVerdict, type Granted } from './broker-appraise.ts'
import { endOf } from './broker-attest.ts'
import type { InitData } from './broker-init-data.ts'
import { brokerTeeOf } from './broker-session.ts'
import { statusListUrl } from './status-lists.ts'
import type { TokenRecord } from './token-ports.ts'
import { type Call, issuerOf, type Tenant, uuid, type Verifier } from './verifier.ts'

export interface ServiceQuestion {
  readonly tenant: Tenant
  /** As the protocol spells it. */
  readonly tee: string
  readonly evidence: ExactJson
  /** What the report data must be the hash of. Never absent: evidence that is bound to nothing proves nothing about now. */
  readonly runtimeData:
    | { readonly kind: 'raw'; readonly bytes: Uint8Array }
    | { readonly kind: 'structured'; readonly tree: StringTree }
  readonly hash: BrokerHash
  readonly initData: InitData | undefined
}

export type ServiceAnswer =
  | { readonly verdict: 'issued'; readonly token: string }
  | Extract<BrokerVerdict, { readonly verdict: 'refused' }>

/** How long the row that keeps the name of this appraisal's challenge is of use: nobody can ask with it again. */
const NO_LONGER_MS = 1_000

/** Throws Problem: `broker-handshake-refused` for a TEE that is not taken, and whatever judging evidence throws. */
export async function appraiseAsService(
  verifier: Verifier,
  { tenant, tee, evidence, runtimeData, hash, initData }: ServiceQuestion,
  call: Call,
): Promise<ServiceAnswer> {
  const kind = brokerTeeOf(tenant, tee)
  const text = runtimeData.kind === 'raw' ? runtimeData.bytes : canonicalTree(runtimeData.tree)
  const tree = runtimeData.kind === 'structured' ? runtimeData.tree : {}
  const nonce = typeof tree.nonce === 'string' ? tree.nonce : ''
  const verdict = await appraiseForBroker(
    verifier,
    {
      tenant,
      kind,
      read: kind.read(evidence),
      binding: {
        protocol: 'attestation-service',
        reportData: toHex(reportDataOfText(text, hash)),
      },
      initData,
      nonce,
      keyThumbprint: '',
      challenge: {
        id: toHex(verifier.random.bytes(32)),
        expiresAt: new Date(call.at.getTime() + NO_LONGER_MS),
      },
      plan: (granted) => planToken(verifier, granted),
    },
    call,
  )
  if (verdict.verdict === 'refused') return verdict
  const { grant, matter, decision, tokens } = verdict
  const [planned] = tokens
  if (!planned) throw new Error('a grant whose token nobody planned')
  const issuer = issuerOf(tenant, grant.assurance)
  if (!issuer) throw new Error(`no issuer for ${grant.assurance} evidence, and yet it was granted`)
  const token = await signBrokerToken(issuer, {
    jti: planned.jti,
    subject: planned.subject,
    issuedAt: planned.issuedAt,
    expiresAt: planned.expiresAt,
    status: {
      uri: statusListUrl(planned.issuer, planned.status.list),
      index: planned.status.index,
    },
    build: verifier.build,
    tenant: tenant.name,
    appraisal: verdict.id,
    tee,
    nonce,
    runtimeData: tree,
    release: matter.release,
    referenceValue: grant.referenceValue.id,
    layers: decision.layers,
    policy: matter.policy,
    result: {
      status: decision.status,
      trustVector: decision.trustVector,
      assurance: grant.assurance,
    },
    claims: decision.match.appraisal.claims,
    leaf: verdict.logLeaf,
  })
  return { verdict: 'issued', token }
}

/** Throws Problem('storage-unavailable'). The slot is lost where the record cannot be kept: one bit of a list. */
async function planToken(
  { random, statusSlots }: Pick<Verifier, 'random' | 'statusSlots'>,
  { id, matter, grant }: Granted,
): Promise<TokenRecord> {
  const { tenant, release, conditions } = matter
  return {
    jti: uuid(random),
    appraisal: id,
    tenant: tenant.name,
    environment: release.environment,
    agent: release.agent,
    form: 'broker',
    issuer: grant.issuer.url,
    audience: '',
    scopes: [],
    jkt: '',
    subject: grant.subject,
    issuedAt: conditions.at,
    expiresAt: endOf(grant.rules, conditions.at),
    status: await statusSlots.take(grant.issuer.url),
    session: undefined,
  }
}
