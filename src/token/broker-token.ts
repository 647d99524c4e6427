/**
 * What does a stock Key Broker client, or a stock Key Broker, get to know about an attestation? An EAR under the names that
 * Trustee reads, with the client's public key where Trustee looks for it. It releases nothing by itself at /v1/releases: its
 * `typ` is none of our forms', and there is neither audience nor proof of a key in it.
 */
import { z } from 'zod'
import type { StringTree } from '../rats/broker-binding.ts'
import type { AgentRelease, Layer } from '../rats/release.ts'
import type { Claims } from '../rats/tee.ts'
import type { Assurance, Status, TrustVector } from '../rats/trust-vector.ts'
import { secondsOf } from './claims.ts'
import { decodeCompactJws, isSignedByEs256 } from './compact-jws.ts'
import { earClaims } from './ear.ts'
import { type Issuer, signJws } from './issuer.ts'
import { signingForms } from './token-key.ts'

/** RFC 8725 section 3.11: no relying party of our other tokens takes it for one of them. */
export const BROKER_TOKEN_TYPE = 'vouchsafe-broker+jwt'

export interface BrokerAttested {
  readonly jti: string
  readonly subject: string
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** The entry of the list that tells of its revocation. */
  readonly status: { readonly uri: string; readonly index: number }
  readonly build: string
  readonly tenant: string
  readonly appraisal: string
  /** As the protocol spells the TEE. */
  readonly tee: string
  readonly nonce: string
  /** Id of the handshake whose resources it opens, which is that of the cookie. Undefined: it opens none. */
  readonly handshake: string | undefined
  /** Nonce, public key and whatever else the evidence was bound to. */
  readonly runtimeData: StringTree
  readonly release: AgentRelease
  readonly referenceValue: string
  readonly layers: readonly Layer[]
  readonly policy: { readonly commit: string; readonly digest: string }
  readonly result: {
    readonly status: Status
    readonly trustVector: TrustVector
    readonly assurance: Assurance
  }
  /** Of the evidence: what rules of a stock Key Broker look at. Undefined: left out, for tokens travel in headers. */
  readonly claims: Claims | undefined
  /** Hex: the leaf of the transparency log. */
  readonly leaf: string
}

/** ES256, by the issuer's key for tokens of possession, which is in its JWKS with `alg`; the header has it as well. */
export async function signBrokerToken(issuer: Issuer, attested: BrokerAttested): Promise<string> {
  const key = issuer.signer('possession', attested.issuedAt)
  const { alg } = signingForms.possession.algorithm
  // Where Trustee finds the key that it compares with its own anchors, or, told so, believes.
  const jwk = { ...key.jwk, kid: key.kid, alg }
  return await signJws(key, { typ: BROKER_TOKEN_TYPE, jwk }, claimsOf(issuer, attested))
}

function claimsOf(issuer: Issuer, attested: BrokerAttested): Readonly<Record<string, unknown>> {
  const { release, result, policy, tenant, tee, runtimeData, status } = attested
  const ear = earClaims(
    {
      status: result.status,
      trustVector: result.trustVector,
      verifier: { developer: issuer.url, build: attested.build },
      policyId: `${issuer.url}/policies/${tenant}@${policy.digest}`,
      manifest: release.manifest.file,
      challenge: attested.nonce,
      relyingPartyNonce: undefined,
      layers: attested.layers,
    },
    'legacy',
  )
  const { submods } = z.looseObject({ submods: submodules }).parse(ear)
  const iat = secondsOf(attested.issuedAt)
  return {
    iss: issuer.url,
    sub: attested.subject,
    iat,
    nbf: iat,
    exp: secondsOf(attested.expiresAt),
    jti: attested.jti,
    tenant,
    ...ear,
    submods: {
      ...submods,
      cpu0: {
        ...submods.cpu0,
        'ear.veraison.annotated-evidence': {
          runtime_data_claims: runtimeData,
          ...(attested.claims && { [tee]: attested.claims }),
        },
      },
    },
    // The other place at which Trustee looks for the key.
    customized_claims: { runtime_data: runtimeData },
    att_assurance: result.assurance,
    att_appraisal: attested.appraisal,
    att_release: {
      environment: release.environment,
      agent: release.agent,
      version: release.version,
      generation: release.generation,
      reference_value: attested.referenceValue,
    },
    att_policy: { commit: policy.commit, digest: policy.digest },
    att_log: { leaf: attested.leaf },
    ...(attested.handshake !== undefined && { att_handshake: attested.handshake }),
    // draft-ietf-oauth-status-list section 6.1. Trustee reads past what it does not know.
    status: { status_list: { idx: status.index, uri: status.uri } },
  }
}

const submodules = z.looseObject({ cpu0: z.looseObject({}) })

const header = z.looseObject({
  alg: z.literal(signingForms.possession.algorithm.alg),
  kid: z.string(),
  typ: z.literal(BROKER_TOKEN_TYPE),
})
const claims = z.looseObject({ iss: z.string(), exp: z.int(), att_handshake: z.string() })

/** A token with everything in it has 4,000 characters; request headers have room for 16 KiB. */
const LONGEST = 16 * 1024

/**
 * The handshake of a token of one of these issuers that holds at `at`; undefined for anything else. The key is the issuer's own,
 * never the one in the header. Not checked: whether a session of that name is known.
 */
export function openBrokerToken(
  text: string,
  issuers: readonly Issuer[],
  at: Date,
): string | undefined {
  const jws = text.length > LONGEST ? undefined : decodeCompactJws(text)
  const named = header.safeParse(jws?.header)
  const said = claims.safeParse(jws?.payload)
  if (!jws || !named.success || !said.success) return undefined
  const issuer = issuers.find(({ url }) => url === said.data.iss)
  const key = issuer
    ?.published()
    .find(({ kid, form }) => kid === named.data.kid && form === 'possession')
  if (!key || !isSignedByEs256(jws, key.publicKey)) return undefined
  return at.getTime() < said.data.exp * 1000 ? said.data.att_handshake : undefined
}
