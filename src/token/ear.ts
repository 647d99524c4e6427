/**
 * What does an attestation result say in EAR's words? Names of 2026 (draft-ietf-rats-ear, profile #03: underscores, a list of
 * policy ids, an overall status), or on request those that Veraison's library and Trustee read.
 */
import type { Layer } from '../rats/release.ts'
import { type Status, statusOf, type TrustVector, worseOf } from '../rats/trust-vector.ts'

export type EarNames = '2026' | 'legacy'

export interface EarResult {
  readonly status: Status
  readonly trustVector: TrustVector
  /** Issuer URL, and name and version of this program. */
  readonly verifier: { readonly developer: string; readonly build: string }
  readonly policyId: string
  /** Of the policy's manifests, the one that let the agent pass. */
  readonly manifest: string
  /** The challenge, which the hardware vouches for through its report data. */
  readonly challenge: string
  /** What a relying party wanted to see again; undefined where the request brought nothing. */
  readonly relyingPartyNonce: string | undefined
  readonly layers: readonly Layer[]
}

/** `submods.cpu0` is what the hardware was judged by, `submods.agent0` what runs in it and how far the hardware vouches for that. */
export function earClaims(result: EarResult, names: EarNames): Readonly<Record<string, unknown>> {
  const { status, trustVector, verifier, policyId, relyingPartyNonce } = result
  const agentVector = agentClaimsOf(trustVector)
  const submods = {
    cpu0: {
      ...appraisal(names, { status, trustVector, policyId }),
      eat_nonce: result.challenge,
    },
    agent0: {
      ...appraisal(names, {
        // What runs on a machine is never better than the machine.
        status: worseOf(statusOf(agentVector), status),
        trustVector: agentVector,
        policyId: `${policyId}#${result.manifest}`,
      }),
      ...layerClaims(result.layers),
    },
  }
  return {
    eat_profile: PROFILES[names],
    ...(relyingPartyNonce !== undefined && { eat_nonce: relyingPartyNonce }),
    ...(names === 'legacy'
      ? { 'ear.verifier-id': verifier }
      : { ear_verifier_id: verifier, ear_status: status }),
    submods,
  }
}

const PROFILES: Readonly<Record<EarNames, string>> = {
  '2026': 'tag:ietf.org,2026:rats/ear#03',
  legacy: 'tag:github.com,2023:veraison/ear',
}

interface SubmoduleResult {
  readonly status: Status
  readonly trustVector: TrustVector
  readonly policyId: string
}

function appraisal(names: EarNames, { status, trustVector, policyId }: SubmoduleResult) {
  switch (names) {
    case '2026':
      return {
        ear_status: status,
        ear_trustworthiness_vector: trustVector,
        ear_appraisal_policy_ids: [policyId],
      }
    case 'legacy':
      return {
        'ear.status': status,
        'ear.trustworthiness-vector': trustVector,
        'ear.appraisal-policy-id': policyId,
      }
  }
}

/** The claims of AR4SI that speak about software; all others are about the machine. */
function agentClaimsOf(vector: TrustVector): TrustVector {
  const { executables, 'file-system': fileSystem, 'sourced-data': sourcedData } = vector
  return {
    ...(executables !== undefined && { executables }),
    ...(fileSystem !== undefined && { 'file-system': fileSystem }),
    ...(sourcedData !== undefined && { 'sourced-data': sourcedData }),
  }
}

/** A manifest may name 256 artifacts, and a token travels in headers. The manifest's digest in the token answers for the rest. */
const MOST_LAYERS = 8

/** What the hardware vouches for comes first; `through` is null for what nobody but the agent says. */
function layerClaims(layers: readonly Layer[]) {
  const ordered = [
    ...layers.filter(({ bound }) => bound === 'hardware'),
    ...layers.filter(({ bound }) => bound !== 'hardware'),
  ]
  const told = ordered.slice(0, MOST_LAYERS).map(({ subject, digest, bound, through }) => ({
    subject,
    digest,
    bound,
    through: through ?? null,
  }))
  const untold = layers.length - told.length
  return { att_layers: told, ...(untold > 0 && { att_layers_untold: untold }) }
}
