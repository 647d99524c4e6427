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
import { appraiseForBroker, type BrokerVerdict } from './broker-appraise.ts'
import type { InitData } from './broker-init-data.ts'
import { thumbprintIn } from './broker-key.ts'
import { brokerTeeOf } from './broker-session.ts'
import { signPlanned } from './broker-tokens.ts'
import { type Call, type Tenant, uuid, type Verifier } from './verifier.ts'

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

/**
 * Throws Problem: `broker-handshake-refused` for a TEE that is not taken, `request-malformed` for a `tee-pubkey` that has no one
 * thumbprint, and whatever judging evidence throws.
 */
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
      keyThumbprint: thumbprintIn(tree),
      challenge: {
        id: toHex(verifier.random.bytes(32)),
        expiresAt: new Date(call.at.getTime() + NO_LONGER_MS),
      },
      jti: uuid(verifier.random),
    },
    call,
  )
  if (verdict.verdict === 'refused') return verdict
  const token = await signPlanned(verifier, {
    ...{ tenant, granted: verdict, tee, nonce, runtimeData: tree },
    handshake: undefined,
    claims: verdict.decision.match.appraisal.claims,
  })
  return { verdict: 'issued', token }
}
