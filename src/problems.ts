/**
 * The one table of problem types (RFC 9457). A Problem is a request, policy source or vendor service that is wrong;
 * wrong evidence is findings, and anything else that is thrown is our own fault and becomes an opaque 500.
 * Codes are stable: clients branch on them. `next` says what the caller can do about it.
 */
interface ProblemType {
  readonly status: number
  readonly title: string
  readonly next: string
}

export const problemTypes = {
  'request-malformed': {
    status: 400,
    title: 'The request is not of the documented form',
    next: 'Compare the request with /openapi.json; the detail names the field.',
  },
  'evidence-unrecognised': {
    status: 400,
    title: 'The bytes are not evidence of a supported kind',
    next: 'Send a raw SEV-SNP report or a TDX or SGX quote, in the encoding that the detail names.',
  },
  'endorsement-unreadable': {
    status: 400,
    title: 'An endorsement could not be read',
    next: 'Supply certificates and CRLs in PEM or DER, Intel collateral as JSON, or a GHCB certificate table.',
  },
  'challenge-unknown': {
    status: 403,
    title: 'The challenge was not issued by this service',
    next: 'Ask POST /v1/challenges for one and use it once.',
  },
  'challenge-expired': {
    status: 403,
    title: 'The challenge is too old',
    next: 'Ask POST /v1/challenges for a new one and answer it before its expiry.',
  },
  'challenge-used': {
    status: 409,
    title: 'The challenge was used before',
    next: 'Ask POST /v1/challenges for a new one; each is good for one attestation, refused ones included.',
  },
  'evidence-rejected': {
    status: 403,
    title: 'The evidence was refused',
    next: 'Read the failing findings: each names what was observed, what was expected and where the rule is written.',
  },
  'release-unknown': {
    status: 403,
    title: 'No approved release has this agent and environment',
    next: 'Commit an AgentRelease manifest under agents/<environment>/<agent>.yaml in the policy repository.',
  },
  'key-unknown': {
    status: 404,
    title: 'There is no such key to rotate or revoke',
    next: 'List the keys with `vouchsafe keys list`, and name one that signs or is to sign.',
  },
  'policy-unavailable': {
    status: 503,
    title: 'No accepted policy is loaded',
    next: 'See `vouchsafe policy status` for what keeps the policy repository from being accepted; without a policy nothing is released.',
  },
  'policy-stale': {
    status: 503,
    title: 'The policy repository has been silent for too long',
    next: 'Let the holder of the heartbeat key sign and push a new heartbeat.yaml, and check that the mirror still follows the repository.',
  },
  'possession-required': {
    status: 401,
    title: 'This needs a token of possession',
    next: 'Attest for one, and send it as `Authorization: DPoP <token>` with a DPoP header (RFC 9449) by the attested key.',
  },
  'possession-token-refused': {
    status: 401,
    title: 'The token of possession was refused',
    next: 'Attest again for a new token; the detail says what is wrong with this one.',
  },
  'possession-proof-refused': {
    status: 401,
    title: 'The proof of possession was refused',
    next: 'Make a new proof for this very request: typ dpop+jwt, ES256, jwk, jti, htm, htu (the public address), iat, ath, and bodySha256 where there is a body.',
  },
  'operator-unauthenticated': {
    status: 401,
    title: 'This needs an operator',
    next: 'Send `Authorization: Bearer <token>` with the token of a configured operator, or of the identity provider that the service is configured for.',
  },
  'operator-forbidden': {
    status: 403,
    title: 'This operator may not do that',
    next: 'Ask for a token whose role allows it: viewers look, auditors also read what is private, operators look and act, secret-admins look and decide on secrets, enforcers report what they enforce.',
  },
  'tenant-unknown': {
    status: 404,
    title: 'There is no such tenant',
    next: 'GET /v1/policies names the tenants of this service.',
  },
  'commit-unusable': {
    status: 422,
    title: 'That commit is no policy',
    next: 'Name full commits of the policy repository that the service has fetched; `vouchsafe policy lint` shows every mistake of one.',
  },
  'webhook-unauthentic': {
    status: 403,
    title: 'The webhook does not prove that it knows the secret',
    next: 'Give the forge the secret of VOUCHSAFE_POLICY_WEBHOOK_SECRET_FILE: it goes into X-Hub-Signature-256 (GitHub, Gitea, Forgejo) or X-Gitlab-Token (GitLab).',
  },
  'collateral-unavailable': {
    status: 503,
    title: 'Vendor endorsements could not be obtained',
    next: 'Retry later, bring the endorsements with the evidence, or import a bundle with `vouchsafe collateral import`.',
  },
  'route-unknown': {
    status: 404,
    title: 'There is nothing at this path',
    next: 'See /openapi.json for the paths of this service.',
  },
  'method-unknown': {
    status: 405,
    title: 'This path does not take that method',
    next: 'See the Allow header and /openapi.json.',
  },
  'body-too-large': {
    status: 413,
    title: 'The request body is too large',
    next: 'Send one piece of evidence with its own certificates only.',
  },
  'media-type-unsupported': {
    status: 415,
    title: 'The body is not of a supported media type',
    next: 'Send application/json.',
  },
  'too-many-requests': {
    status: 429,
    title: 'Too many requests',
    next: 'Wait as long as Retry-After says.',
  },
  overloaded: {
    status: 503,
    title: 'More is being asked than can be answered in time',
    next: 'Try again after the time in Retry-After; nothing was read or used up. Operators: add a replica, or see VOUCHSAFE_MOST_IN_FLIGHT.',
  },
  'request-timeout': {
    status: 408,
    title: 'The request took too long to arrive',
    next: 'Send the headers within 10 s and the whole request within 20 s.',
  },
  'headers-too-large': {
    status: 431,
    title: 'The headers of the request are too large',
    next: 'Send at most 16 KiB of headers.',
  },
  'expectation-unknown': {
    status: 417,
    title: 'The Expect header asks for something unknown',
    next: 'Send Expect: 100-continue, or no such header.',
  },
  'appraisal-unknown': {
    status: 404,
    title: 'There is no such appraisal',
    next: 'Name the id of an appraisal, or the request id of an attestation that was decided; what is older than the retention is gone.',
  },
  'identity-provider-unavailable': {
    status: 503,
    title: 'The identity provider of the operators did not answer',
    next: 'Try again after the time in Retry-After; a token of the operators’ file works meanwhile.',
  },
  'self-attestation-unavailable': {
    status: 501,
    title: 'The verifier does not run in a TEE that it could show',
    next: 'Nothing can be said about where this issuer runs. Operators: run it in an SEV-SNP or TDX guest with Linux 6.7 or later, mount configfs, and let the service read /sys/kernel/config/tsm/report.',
  },
  'issuer-unusable': {
    status: 502,
    title: 'The issuer does not answer as an issuer of this kind does',
    next: 'Check the URL: it is what tokens have in `iss`. What the issuer itself said stands in the detail.',
  },
  'self-attestation-failed': {
    status: 503,
    title: 'The machine gave no report in time',
    next: 'Try again after the time in Retry-After: hardware makes one report at a time. Operators: the detail says what the kernel answered.',
  },
  'policy-changed': {
    status: 409,
    title: 'The policy was replaced meanwhile',
    next: 'Ask again: it is then judged by the policy that is in force.',
  },
  'status-list-unknown': {
    status: 404,
    title: 'There is no such status list',
    next: 'Take the address from status.status_list.uri of a token of this issuer.',
  },
  'log-leaf-unknown': {
    status: 404,
    title: 'The transparency log has no such leaf',
    next: 'Take the leaf from att_log.leaf of a token, or from logLeaf of the answer to POST /v1/attestations.',
  },
  'log-leaf-waiting': {
    status: 404,
    title: 'The leaf is not in the log yet',
    next: 'Ask again after the time in Retry-After: a leaf is numbered within a second.',
  },
  'resource-unknown': {
    status: 404,
    title: 'There is no such resource',
    next: 'List them with `vouchsafe release list`; add one with `vouchsafe release put NAME --file FILE`.',
  },
  'resource-superseded': {
    status: 409,
    title: 'The resource is another than was expected',
    next: 'Look at it with `vouchsafe release list NAME`, and decide again: rotate one that is there, put one that is not.',
  },
  'resource-guarded': {
    status: 409,
    title: 'One operator may not loosen what guards this resource',
    next: 'Put the secret under another name with `vouchsafe release put`; or revoke every version with `vouchsafe release revoke NAME --all`, and then give it another secret with `vouchsafe release rotate NAME --file FILE`.',
  },
  'broker-path-taken': {
    status: 409,
    title: 'Another resource has this path of the Key Broker face',
    next: 'Choose another path, or take it from the other resource first.',
  },
  'approval-unknown': {
    status: 404,
    title: 'There is no such question to agree to',
    next: 'List those that are open with `vouchsafe release approvals`; an agent asks anew by asking for its secret.',
  },
  'approval-own-version': {
    status: 403,
    title: 'Whoever put a secret there cannot agree to its release',
    next: 'Ask other operators with the role secret-admin.',
  },
  'release-refused': {
    status: 403,
    title: 'This agent may not have that now',
    next: 'Attest again: the policy, the evidence or what its vendor says may have changed. Operators: the line release.refused of the service log says why, under the request id.',
  },
  'release-key-refused': {
    status: 403,
    title: 'Nothing is sealed to that key',
    next: 'Send as encJwk the encryption key that the evidence was bound to (enc_jwk of the attestation, enc_jkt of the token); attest again with one where there is none.',
  },
  'release-approval-needed': {
    status: 403,
    title: 'Operators have to agree first',
    next: 'Ask again with the same attested key once enough operators with the role secret-admin have agreed: `vouchsafe release approve ID`, with the id in `approval`.',
  },
  'release-needs-hardware': {
    status: 403,
    title: 'This resource is not given to simulated evidence',
    next: 'Ask from a machine whose evidence a vendor signed. Operators, for what is no real secret: put another one with `vouchsafe release put NAME --file FILE --simulated accepted`; one that is there takes that only once all its versions are revoked (`vouchsafe release revoke NAME --all`, then `rotate`).',
  },
  'release-needs-session': {
    status: 403,
    title: 'This resource is given only to a watched session',
    next: 'Open a session with POST /v1/sessions, keep it ACTIVE with heartbeats, and ask with a token of that session. The Key Broker face has no sessions. Operators: see requiresSession of the resource.',
  },
  'session-unknown': {
    status: 404,
    title: 'There is no such session',
    next: 'Agents: open one with POST /v1/sessions. Operators: `vouchsafe session list` has the ids; sessions that ended a day ago are forgotten.',
  },
  'session-action-refused': {
    status: 409,
    title: 'This cannot be done with a session in that state',
    next: 'See `vouchsafe session show ID`. Only a quarantined or suspended session is released; a revoked or closed one is over, and its agent opens another.',
  },
  'ban-unknown': {
    status: 404,
    title: 'There is no such ban',
    next: 'GET /v1/bans lists them; a ban of one agent and a ban of every agent on a machine are two.',
  },
  'session-over': {
    status: 409,
    title: 'The session is over, or may not do this now',
    next: 'The detail says in which state it is and why. A late session sends a heartbeat, a suspended one a new quote; after anything else the agent’s owner decides, and the agent opens a new session.',
  },
  'session-not-offered': {
    status: 403,
    title: 'This release offers no session',
    next: 'Attest at POST /v1/attestations for one token at a time; or give the manifest a section `spec.runtime` that says what the agent may load and do while it runs.',
  },
  'session-exists': {
    status: 409,
    title: 'There is a session of that id already',
    next: 'Open one with another id: 16 new random bytes. The same request as the one that opened it is answered with the session instead.',
  },
  'session-message-refused': {
    status: 401,
    title: 'The message is not one of this session',
    next: 'Sign it with the key that the session was opened with, for this very address, and exactly as docs/sessions.md has it; the detail says what is wrong. It changed nothing.',
  },
  'session-nonce-refused': {
    status: 409,
    title: 'The message is not an answer to the last answer',
    next: 'Use the nonce of the last answer (member `session` of this problem) and say what was to be said again. It changed nothing.',
  },
  'session-behind': {
    status: 409,
    title: 'The service knows less of the session than this message continues',
    next: 'Open a new session: messages in between never arrived, or the database of the service was restored. `checkpoint` says what it knows.',
  },
  'session-evidence-needed': {
    status: 409,
    title: 'A full quote is needed first',
    next: 'Send one to POST /v1/sessions/{id}/attestations, over the transcript as it stands; the answer brings tokens with it.',
  },
  'session-chain-broken': {
    status: 403,
    title: 'The history of the session is broken, so the session is revoked',
    next: 'The agent stops: two histories under one key mean that somebody copied or rewrote it. Its owner looks at what the detail names, and starts the machine again before another session is opened.',
  },
  'session-superseded': {
    status: 409,
    title: 'The session was changed meanwhile',
    next: 'Ask once more: nothing of this request was kept.',
  },
  'release-use-refused': {
    status: 403,
    title: 'The resource is not had in this way',
    next: 'What is released is asked for at POST /v1/releases; a key that never leaves decrypts or signs at POST /v1/operations.',
  },
  'resource-version-unavailable': {
    status: 404,
    title: 'There is no such version to be had',
    next: 'Ask for another version, or for none in particular; the detail says what is wrong with this one.',
  },
  'resource-changed': {
    status: 409,
    title: 'The resource was changed meanwhile',
    next: 'Ask again, with a new proof of possession.',
  },
  'operation-refused': {
    status: 422,
    title: 'The key does not do that with this input',
    next: 'decrypt takes iv (12 bytes), tag (16 bytes) and ciphertext of AES-256-GCM under this very key, at most 64 KiB; sign takes any bytes.',
  },
  'lease-unknown': {
    status: 404,
    title: 'There is no such lease of this agent',
    next: 'Renew with the id of the release, and with a token that is bound to the same key; otherwise ask for a new release.',
  },
  'lease-over': {
    status: 409,
    title: 'The lease ended before it was renewed',
    next: 'Stop using what was released, and ask for a new release.',
  },
  'key-encryption-unavailable': {
    status: 503,
    title: 'Whoever holds the key-encryption key does not answer',
    next: 'Try again after the time in Retry-After. Operators: the detail says what it answered; `vouchsafe doctor` asks it.',
  },
  'model-unusable': {
    status: 422,
    title: 'The model cannot be sealed or opened as it is',
    next: 'Mend what the detail names, and run the command again; docs/models.md says what a model may consist of.',
  },
  'registry-unusable': {
    status: 502,
    title: 'The registry does not answer as a registry does',
    next: 'Check the address, the repository and the credentials; the detail says what it answered.',
  },
  'broker-handshake-refused': {
    status: 401,
    title: 'The handshake of the Key Broker protocol was refused',
    next: 'Begin another with POST /kbs/v0/auth, and answer its nonce once; the detail says what was wrong with this one.',
  },
  'broker-session-required': {
    status: 401,
    title: 'This needs an attested handshake of the Key Broker protocol',
    next: 'Attest with POST /kbs/v0/auth and /kbs/v0/attest, and send the cookie kbs-session-id or the token as `Authorization: Bearer`.',
  },
  'storage-unavailable': {
    status: 503,
    title: 'The database did not answer',
    next: 'Retry after the time in Retry-After; nothing was issued.',
  },
  'configuration-invalid': {
    status: 500,
    title: 'The configuration is not usable',
    next: 'Correct the settings that the detail names; `vouchsafe doctor` checks them.',
  },
  'internal-error': {
    status: 500,
    title: 'The service failed',
    next: 'Report the correlation id to the operator; the cause is in the service log under it.',
  },
} as const satisfies Readonly<Record<string, ProblemType>>

export type ProblemCode = keyof typeof problemTypes

export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly detail: string
  /** Further members of the problem document, safe to show to the caller. */
  readonly members: Readonly<Record<string, unknown>>
  readonly retryAfterSeconds: number | undefined

  constructor(
    code: ProblemCode,
    detail: string,
    extra: {
      readonly members?: Readonly<Record<string, unknown>>
      readonly retryAfterSeconds?: number
      readonly cause?: unknown
    } = {},
  ) {
    super(`${code}: ${detail}`, { cause: extra.cause })
    this.code = code
    this.detail = detail
    this.members = extra.members ?? {}
    this.retryAfterSeconds = extra.retryAfterSeconds
  }
}
