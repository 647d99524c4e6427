/** Which claims does a token of each form make? docs/tokens.md has every one with its reason. */
import type { PublicKey } from '../rats/public-key.ts'
import type { AgentRelease, Layer, ReferenceValue, TokenForm } from '../rats/release.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { Assurance, Status, TrustVector } from '../rats/trust-vector.ts'
import { type EarNames, earClaims } from './ear.ts'
import { flatClaims } from './flat-claims.ts'

export type TokenClaims = Readonly<Record<string, unknown>>

/** What all tokens of one attestation share. */
export interface AttestedAgent {
  /** Id of the appraisal. */
  readonly appraisal: string
  /** Issuer URL. */
  readonly issuer: string
  readonly build: string
  readonly tenant: string
  /** The release that matched. */
  readonly release: AgentRelease
  readonly referenceValue: ReferenceValue
  readonly layers: readonly Layer[]
  readonly policy: { readonly commit: string; readonly digest: string }
  readonly claims: RuntimeClaims
  /** Whose thumbprint is `sig_jkt`. */
  readonly jwk: PublicKey
  /** What a relying party wanted to see again; undefined where there is nothing. */
  readonly relyingPartyNonce: string | undefined
  readonly result: {
    readonly status: Status
    readonly trustVector: TrustVector
    readonly assurance: Assurance
  }
  /** Kind of hardware, and hex of the launch measurement. */
  readonly hardware: string
  readonly measurement: string
  /** Hex: the leaf of the transparency log. */
  readonly leaf: string
  /** Absent: of one attestation alone. */
  readonly session?: AttestedSession | undefined
}

export interface AttestedSession {
  readonly id: string
  /** Everything that the agent loaded since its machine started, as its collector says. */
  readonly measurement: { readonly count: number; readonly head: string }
}

export interface PlannedToken {
  readonly form: TokenForm
  readonly jti: string
  readonly subject: string
  readonly audience: string
  readonly scopes: readonly string[]
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly status: { readonly uri: string; readonly index: number }
}

export function tokenClaims(
  agent: AttestedAgent,
  token: PlannedToken,
  names: EarNames,
): TokenClaims {
  const { claims, issuer, jwk } = agent
  const sub = token.subject
  const iat = secondsOf(token.issuedAt)
  const times = { iat, nbf: iat, exp: secondsOf(token.expiresAt), jti: token.jti }
  const encryption = claims.enc_jkt === '' ? {} : { enc_jkt: claims.enc_jkt }
  switch (token.form) {
    case 'possession':
      return {
        iss: issuer,
        sub,
        aud: token.audience,
        // RFC 9068 section 2.2 demands it of an access token: here the agent is its own client.
        client_id: sub,
        ...times,
        // RFC 9449 section 6.1: worth nothing without a proof by this key.
        cnf: { jkt: claims.sig_jkt },
        ...encryption,
        ...sharedClaims(agent, token, names),
      }
    case 'federation':
      return {
        iss: issuer,
        sub,
        aud: token.audience,
        ...times,
        // Clouds ignore it; whoever can check it should.
        cnf: { jwk: { ...jwk, alg: 'ES256' } },
        ...sharedClaims(agent, token, names),
        ...flatClaims(agent),
      }
    case 'workload':
      // SPIFFE WIT-SVID: no aud, and no iss by which an OpenID relying party could take it for one of its own.
      return {
        sub,
        ...times,
        cnf: { jwk: { ...jwk, alg: 'ES256' } },
        ...encryption,
        // Nobody read WIT-SVIDs when the old names were in use.
        ...sharedClaims(agent, token, '2026'),
      }
  }
}

function sharedClaims(agent: AttestedAgent, token: PlannedToken, names: EarNames): TokenClaims {
  const { issuer, tenant, release, policy, referenceValue, result } = agent
  return {
    tenant,
    // RFC 8693 section 4.2.
    ...(token.scopes.length > 0 && { scope: token.scopes.join(' ') }),
    ...earClaims(
      {
        status: result.status,
        trustVector: result.trustVector,
        verifier: { developer: issuer, build: agent.build },
        policyId: `${issuer}/policies/${tenant}@${policy.digest}`,
        manifest: release.manifest.file,
        challenge: agent.claims.nonce,
        relyingPartyNonce: agent.relyingPartyNonce,
        layers: agent.layers,
      },
      names,
    ),
    // RFC 9711 section 4.2.9. No release can waive the checks that debugging is off, which the launch fixed for good.
    dbgstat: 'disabled-since-boot',
    att_tee: referenceValue.tee,
    att_hw: agent.hardware,
    att_measurement: agent.measurement,
    att_assurance: result.assurance,
    att_appraisal: agent.appraisal,
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
    att_policy: { commit: policy.commit, digest: policy.digest },
    att_log: { leaf: agent.leaf },
    ...(agent.session && sessionClaims(agent.session)),
    // draft-ietf-oauth-status-list section 6.1.
    status: { status_list: { idx: token.status.index, uri: token.status.uri } },
  }
}

function sessionClaims({ id, measurement: { count, head } }: AttestedSession): TokenClaims {
  return { att_session: id, att_measurements: `${count}:${head}` }
}

/** RFC 7519 section 2, NumericDate: whole seconds, since Kubernetes and others take no fractions. */
export function secondsOf(at: Date): number {
  return Math.floor(at.getTime() / 1000)
}
