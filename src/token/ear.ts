/**
 * Which claims does a token make? One attestation result in EAR shape (draft-ietf-rats-ear-03, names of 2026), possession-bound:
 * `cnf.jkt` names the key with which the agent proves each use (RFC 9449), so a stolen token is worth nothing without it.
 */
import type { AgentRelease, Layer, ReferenceValue } from '../rats/release.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { Assurance, Status, TrustVector } from '../rats/trust-vector.ts'

export interface EarSubject {
  /** Issuer URL. */
  readonly issuer: string
  readonly at: Date
  readonly jti: string
  readonly audience: string
  readonly ttlSeconds: number
  readonly build: string
  readonly tenant: string
  /** The release that matched: the subject comes from here, never from what the agent said. */
  readonly release: AgentRelease
  readonly referenceValue: ReferenceValue
  /** How far the hardware's word reaches (policy/layers.ts): no part of the agent is named without that. */
  readonly layers: readonly Layer[]
  readonly policy: { readonly commit: string; readonly digest: string }
  readonly claims: RuntimeClaims
  readonly result: {
    readonly status: Status
    readonly trustVector: TrustVector
    readonly assurance: Assurance
  }
}

/** No policy may lengthen a token beyond this. */
const LONGEST_TTL_SECONDS = 300

const PROFILE = 'tag:ietf.org,2026:rats/ear#03'

export type EarClaims = Readonly<Record<string, unknown>> & {
  readonly exp: number
  readonly sub: string
}

export function earClaims(subject: EarSubject): EarClaims {
  const { issuer, release, referenceValue, layers, policy, claims, result } = subject
  const sub = subjectOf(subject)
  const iat = Math.floor(subject.at.getTime() / 1000)
  return {
    iss: issuer,
    sub,
    aud: subject.audience,
    // RFC 9068 section 2.2 demands it of an access token: here the agent is its own client.
    client_id: sub,
    iat,
    exp: iat + Math.min(subject.ttlSeconds, LONGEST_TTL_SECONDS),
    jti: subject.jti,
    cnf: { jkt: claims.sig_jkt },
    ...(claims.enc_jkt !== '' && { enc_jkt: claims.enc_jkt }),
    tenant: subject.tenant,
    eat_profile: PROFILE,
    ear_verifier_id: { developer: issuer, build: subject.build },
    ear_status: result.status,
    submods: {
      cpu: {
        ear_status: result.status,
        ear_trustworthiness_vector: result.trustVector,
        ear_appraisal_policy_ids: [`${issuer}/policies/${subject.tenant}@${policy.digest}`],
        eat_nonce: claims.nonce,
      },
    },
    att_tee: referenceValue.tee,
    att_assurance: result.assurance,
    att_release: {
      environment: release.environment,
      agent: release.agent,
      version: release.version,
      generation: release.generation,
      manifest: release.manifest.file,
      manifest_digest: `sha256:${release.manifest.sha256}`,
      reference_value: referenceValue.id,
      /** Of the manifest: with the commit below, the place that let this agent pass. */
      reference_value_line: referenceValue.line,
    },
    att_layers: layers.map(layerClaim),
    att_policy: { commit: policy.commit, digest: policy.digest },
  }
}

/** `through` is null for what nobody but the agent says. */
function layerClaim({ subject, digest, bound, through }: Layer) {
  return { subject, digest, bound, through: through ?? null }
}

/**
 * A SPIFFE ID. Simulated evidence gets a name that is none, so that no cloud's subject mapping can take it for one: clouds
 * look at `sub` and ignore the trust claims.
 */
function subjectOf({ issuer, tenant, release, result }: EarSubject): string {
  const { hostname } = new URL(issuer)
  const id = `spiffe://${hostname}/t/${tenant}/env/${release.environment}/agent/${release.agent}`
  return result.assurance === 'simulated' ? `simulated:${id}` : id
}
