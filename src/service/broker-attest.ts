/**
 * `POST /kbs/v0/attest`: evidence that answers a handshake. Its nonce is spent before the evidence is looked at, whatever comes
 * of it, so that of two answers one is judged, and no answer is given twice: what comes again is refused, never answered with
 * what the first one got.
 */
import { sameBytes, toHex } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import {
  type BrokerBinding,
  boundReportData,
  boundReportDataBefore,
  type Handshake,
} from '../rats/broker-binding.ts'
import { type BrokerKey, importBrokerKey } from '../seal/broker-jwe.ts'
import type { ExactJson } from '../tee/sev-snp/json-rows.ts'
import { appraiseForBroker, type BrokerVerdict } from './broker-appraise.ts'
import { treeOf } from './broker-bound.ts'
import type { BrokerTee, ReadEvidence } from './broker-evidence.ts'
import type { InitData } from './broker-init-data.ts'
import { thumbprintOf } from './broker-key.ts'
import { brokerTeeOf, refused, termsOf, waitingSession } from './broker-session.ts'
import { signPlanned, tokenIdOf } from './broker-tokens.ts'
import type { BrokerSession } from './release-ports.ts'
import type { Call, Tenant, Verifier } from './verifier.ts'

export interface BrokerAttestation {
  readonly tenant: Tenant
  /** Of the cookie. */
  readonly sessionId: string | undefined
  readonly answer: BrokerAnswer
}

export type BrokerAnswer =
  | {
      readonly form: 'composed'
      readonly nonce: string
      readonly teePublicKey: BrokerKey
      readonly evidence: ExactJson
      /** Text as it came: JSON of what devices said, empty where there are none. */
      readonly additionalEvidence: string
      readonly initData: InitData | undefined
    }
  | { readonly form: 'plain'; readonly teePublicKey: BrokerKey; readonly evidence: ExactJson }

export type BrokerOutcome =
  | { readonly verdict: 'issued'; readonly token: string; readonly session: BrokerSession }
  | Extract<BrokerVerdict, { readonly verdict: 'refused' }>

/** Throws Problem for whatever is wrong with the handshake, the request, the policy source or a vendor. */
export async function attestForBroker(
  verifier: Verifier,
  { tenant, sessionId, answer }: BrokerAttestation,
  call: Call,
): Promise<BrokerOutcome> {
  const session = await waitingSession(verifier, { tenant, id: sessionId }, call)
  const { form } = termsOf(session)
  if (answer.form !== form)
    throw refused(`the handshake is of protocol ${session.version}, and the answer of another`)
  if (answer.form === 'composed' && answer.nonce !== session.nonce)
    throw refused('runtime-data.nonce is not the nonce of this handshake')
  if (!(await verifier.store.spendBrokerNonce(session.id, call.at)))
    throw refused('the nonce of this handshake was used before: each is good for one attestation')
  const kind = brokerTeeOf(tenant, session.tee)
  const read = kind.read(answer.evidence)
  const { teePublicKey } = answer
  if (!importBrokerKey(teePublicKey))
    throw new Problem(
      'request-malformed',
      'tee-pubkey: must be a point on P-256 or P-521, or an RSA key of 2048 to 4096 bits with exponent 65537, without leading zeros',
    )
  const verdict = await appraiseForBroker(
    verifier,
    {
      tenant,
      kind,
      read,
      binding: bindingOf(session, answer, { kind, read }),
      initData: answer.form === 'composed' ? answer.initData : undefined,
      nonce: session.nonce,
      keyThumbprint: thumbprintOf(teePublicKey),
      jti: tokenIdOf(session.id),
      challenge: {
        id: toHex(Buffer.from(session.nonce, 'base64')),
        expiresAt: session.expiresAt,
      },
    },
    call,
  )
  if (verdict.verdict === 'refused') return verdict
  return await attested(verifier, { tenant, session, answer, verdict }, call)
}

function bindingOf(
  session: BrokerSession,
  answer: BrokerAnswer,
  { kind, read }: { readonly kind: BrokerTee; readonly read: ReadEvidence },
): BrokerBinding {
  const { protocol, hash: algorithm } = termsOf(session)
  const { nonce } = session
  const handshake: Handshake = { nonce, teePublicKey: treeOf(answer.teePublicKey), algorithm }
  if (answer.form === 'composed') {
    if (answer.additionalEvidence !== '')
      throw new Problem(
        'evidence-unrecognised',
        'additional_evidence: evidence of further devices is not judged here, so a guest that has any is refused',
      )
    const reportData = boundReportData(handshake, answer.additionalEvidence)
    return { protocol, reportData: toHex(reportData) }
  }
  const [sorted, ...others] = boundReportDataBefore(handshake)
  const decoding = kind.tee.decode(read.evidence)
  const carried = 'evidence' in decoding ? kind.tee.bind(decoding.evidence) : undefined
  const meant = others.find((each) => carried && sameBytes(each, carried)) ?? sorted
  return { protocol, reportData: toHex(meant ?? new Uint8Array()) }
}

async function attested(
  verifier: Verifier,
  {
    tenant,
    session,
    answer,
    verdict,
  }: {
    readonly tenant: Tenant
    readonly session: BrokerSession
    readonly answer: BrokerAnswer
    readonly verdict: Extract<BrokerVerdict, { readonly verdict: 'issued' }>
  },
  { at }: Call,
): Promise<BrokerOutcome> {
  const { release, policy } = verdict.matter
  const { id, tee, nonce } = session
  const token = await signPlanned(verifier, {
    ...{ tenant, granted: verdict, tee, nonce, handshake: id },
    runtimeData: { nonce, 'tee-pubkey': treeOf(answer.teePublicKey) },
    claims: undefined,
  })
  const kept = {
    at,
    environment: release.environment,
    agent: release.agent,
    appraisal: verdict.id,
    teePublicKey: JSON.stringify(answer.teePublicKey),
    policyCommit: policy.commit,
    expiresAt: verdict.token.expiresAt,
  }
  await verifier.store.attestBrokerSession(session.id, kept)
  return { verdict: 'issued', token, session: { ...session, attested: kept } }
}
