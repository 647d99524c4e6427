/** Which operations the service has, as types. Written by `npm run docs` from the schemas that judge requests. */

/** RFC 9457. */
export interface Problem {
  readonly type: string
  /** Stable: branch on this. */
  readonly code: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** What to do about it. */
  readonly next: string
  readonly requestId: string
  readonly [member: string]: unknown
}

// biome-ignore lint/complexity/noBannedTypes: what `hc` of Hono reads as a call without arguments
type Nothing = {}

/** As `hc` of Hono reads it. */
interface Done<Status extends number, Format extends 'json' | 'text', Output> {
  readonly status: Status
  readonly outputFormat: Format
  readonly output: Output
}
type Refused<Status extends number> = Done<Status, 'json', Problem>
type Endpoint<Input, Good extends Done<number, 'json' | 'text', unknown>, Bad extends number> =
  | Answered<Input, Good>
  | (Bad extends number ? Answered<Input, Refused<Bad>> : never)
type Answered<Input, Outcome> = Outcome extends unknown
  ? { input: Input } & { -readonly [Name in keyof Outcome]: Outcome[Name] }
  : never

/** By path and method: what goes in, and what comes out with which status. */
export type Operations = {
  '/v1/challenges': {
    /** A nonce, good for one attestation. */
    $post: Endpoint<
      { json: { readonly tenant?: string } },
      Done<200, 'json', { readonly nonce: string; readonly expiresAt: string }>,
      400 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/attestations': {
    /** Evidence bound to a challenge and to the agent’s keys in, tokens out (more is told to the role: viewer). */
    $post: Endpoint<
      {
        query?: { ear?: 'legacy' }
        header: { 'Attestation-Proof': string }
        json: {
          readonly tee?: string
          readonly evidence: {
            readonly quote: string
            readonly auxblob?: string
            readonly eventLog?: string
          }
          readonly endorsements?: {
            readonly certificates?: ReadonlyArray<string>
            readonly crls?: ReadonlyArray<string>
            readonly collateral?: { readonly [name: string]: string }
          }
          readonly runtimeClaims: {
            readonly nonce: string
            readonly verifier: string
            readonly sig_jkt: string
            readonly enc_jkt: '' | string
            readonly tenant: string
            readonly agent: string
            readonly environment: string
            readonly session: string
            readonly seq: string
            readonly transcript: string
          }
          readonly jwk: {
            readonly kty: 'EC'
            readonly crv: 'P-256'
            readonly x: string
            readonly y: string
          }
          readonly enc_jwk?: {
            readonly kty: 'EC'
            readonly crv: 'P-256'
            readonly x: string
            readonly y: string
          }
          readonly audience?: string | ReadonlyArray<string>
          readonly eat_nonce?: string
        }
      },
      Done<
        200,
        'json',
        {
          readonly id: string
          readonly tokens: ReadonlyArray<{
            readonly form: 'possession' | 'federation' | 'workload'
            readonly audience: string
            readonly token: string
            readonly encoding: 'jwt' | 'jwe'
            readonly type: 'at+jwt' | 'JWT' | 'wit+jwt'
            readonly issuer: string
            readonly subject: string
            readonly expiresAt: string
            readonly jti: string
            readonly status: { readonly uri: string; readonly index: number }
          }>
          readonly logLeaf: string
          readonly tee: string
          readonly assurance: 'hardware' | 'simulated'
          readonly status: 'affirming' | 'warning' | 'contraindicated' | 'none'
          readonly trustVector: { readonly [name: string]: number }
          readonly release: {
            readonly environment: string
            readonly agent: string
            readonly version: string
            readonly generation: number
            readonly manifest: string
            readonly referenceValue: string
            readonly line: number
            readonly changedBy: {
              readonly commit: string
              readonly principal: string | null
            } | null
          }
          readonly layers: ReadonlyArray<{
            readonly subject: string
            readonly digest: string
            readonly bound: 'hardware' | 'claimed'
            readonly through: string | null
          }>
          readonly policy: { readonly commit: string; readonly digest: string }
        }
      >,
      400 | 403 | 409 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/appraisals': {
    /** Any evidence in, findings out; bound to nobody, no token. */
    $post: Endpoint<
      {
        json: {
          readonly tenant?: string
          readonly tee?: string
          readonly evidence: {
            readonly quote: string
            readonly auxblob?: string
            readonly eventLog?: string
          }
          readonly endorsements?: {
            readonly certificates?: ReadonlyArray<string>
            readonly crls?: ReadonlyArray<string>
            readonly collateral?: { readonly [name: string]: string }
          }
          readonly at?: string
          readonly expect?: { readonly [name: string]: string }
          readonly waive?: { readonly [name: string]: string }
          readonly profile?: string
        }
      },
      Done<
        200,
        'json',
        {
          readonly tee: string
          readonly at: string
          readonly assurance: 'hardware' | 'simulated' | null
          readonly status: 'affirming' | 'warning' | 'contraindicated' | 'none'
          readonly trustVector: { readonly [name: string]: number }
          readonly findings: ReadonlyArray<{
            readonly id: string
            readonly outcome: 'pass' | 'fail' | 'not-reached' | 'not-applicable' | 'waived'
            readonly detail: string | null
            readonly observed: unknown
            readonly expected: unknown
            readonly cites: string
            readonly informs: string
          }>
          readonly claims: { readonly [name: string]: unknown }
          readonly missing: ReadonlyArray<string>
        }
      >,
      400 | 413 | 415 | 429 | 500 | 503
    >
    /** Attestations that were decided, the newest first, a page at a time (role: viewer). */
    $get: Endpoint<
      { query?: { tenant?: string; since?: string; limit?: string; before?: string } },
      Done<
        200,
        'json',
        {
          readonly appraisals: ReadonlyArray<{
            readonly id: string
            readonly requestId: string
            readonly at: string
            readonly tenant: string
            readonly environment: string
            readonly agent: string
            readonly tee: string
            readonly verdict: 'issued' | 'refused'
            readonly status: string
            readonly trustVector: { readonly [name: string]: number }
          }>
          readonly unreadable: ReadonlyArray<{ readonly id: string; readonly at: string }>
          readonly next: string | null
        }
      >,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
  }
  '/v1/appraisals/:id': {
    /** Why an attestation ended as it did, by the id of its appraisal or of its request. Its own agent is told its verdict (role: viewer). */
    $get: Endpoint<
      { param: { id: string }; header?: { DPoP?: string } },
      Done<
        200,
        'json',
        | {
            readonly id: string
            readonly requestId: string
            readonly at: string
            readonly tenant: string
            readonly environment: string
            readonly agent: string
            readonly tee: string
            readonly verdict: 'issued' | 'refused'
            readonly status: string
            readonly trustVector: { readonly [name: string]: number }
            readonly explained: 'in full'
            readonly audiences: ReadonlyArray<string>
            readonly refusal: {
              readonly stage: string
              readonly failing: ReadonlyArray<string>
              readonly sentence: string
              readonly advice: string
              readonly fields: ReadonlyArray<{
                readonly check: string
                readonly field: string
                readonly line: number
                readonly observed: unknown
                readonly expected: unknown
              }>
            } | null
            readonly findings: ReadonlyArray<{
              readonly id: string
              readonly outcome: 'pass' | 'fail' | 'not-reached' | 'not-applicable' | 'waived'
              readonly detail: string | null
              readonly observed: unknown
              readonly expected: unknown
              readonly cites: string
              readonly informs: string
            }>
            readonly policy: {
              readonly commit: string
              readonly digest: string
              readonly file: string
              readonly line: number
              readonly changedBy: {
                readonly commit: string
                readonly principal: string | null
              } | null
            }
            readonly referenceValue: {
              readonly id: string
              readonly line: number
              readonly isMatched: boolean
            } | null
            readonly layers: ReadonlyArray<{
              readonly subject: string
              readonly digest: string
              readonly bound: 'hardware' | 'claimed'
              readonly through: string | null
            }>
            readonly runtimeClaims: { readonly [name: string]: string }
            readonly evidence: {
              readonly sha256: string | null
              readonly bytes: number | null
              readonly endorsements: string
            }
            readonly tokens: ReadonlyArray<{
              readonly jti: string
              readonly form: string
              readonly issuer: string
              readonly subject: string
              readonly audience: string
              readonly scopes: ReadonlyArray<string>
              readonly jkt: string
              readonly issuedAt: string
              readonly expiresAt: string
              readonly status: { readonly list: number; readonly index: number }
              readonly revocation: {
                readonly at: string
                readonly reason: string
                readonly detail: string
                readonly by: string
              } | null
            }>
            readonly log: {
              readonly leaf: string
              readonly place: {
                readonly in: 'waiting' | 'log' | 'denials'
                readonly index: number | null
                readonly position: number | null
              } | null
            }
          }
        | {
            readonly id: string
            readonly requestId: string
            readonly at: string
            readonly tenant: string
            readonly environment: string
            readonly agent: string
            readonly tee: string
            readonly verdict: 'issued' | 'refused'
            readonly status: string
            readonly trustVector: { readonly [name: string]: number }
            readonly explained: 'to the agent'
            readonly refusal: {
              readonly stage: string
              readonly failing: ReadonlyArray<string>
            } | null
            readonly tokens: ReadonlyArray<{
              readonly jti: string
              readonly form: string
              readonly audience: string
              readonly expiresAt: string
              readonly isRevoked: boolean
            }>
            readonly log: {
              readonly leaf: string
              readonly place: {
                readonly in: 'waiting' | 'log' | 'denials'
                readonly index: number | null
                readonly position: number | null
              } | null
            }
          }
      >,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
  }
  '/v1/policies': {
    /** Every tenant’s policy: what holds, who enforces it, what it changed (role: viewer). */
    $get: Endpoint<
      Nothing,
      Done<
        200,
        'json',
        {
          readonly policies: ReadonlyArray<{
            readonly tenant: string
            readonly conditions: ReadonlyArray<{
              readonly name: string
              readonly message: string
              readonly since: string
              readonly commit: string | null
            }>
            readonly accepted: {
              readonly commit: string
              readonly digest: string
              readonly since: string
              readonly sequence: number
            } | null
            readonly enforced: {
              readonly commit: string
              readonly digest: string
              readonly repository: string
              readonly releases: number
              readonly rules: number
              readonly heartbeat: {
                readonly notAfter: string
                readonly graceSeconds: number
              } | null
            } | null
            readonly enforcementPoints: ReadonlyArray<{
              readonly name: string
              readonly kind: string
              readonly commit: string
              readonly digest: string
              readonly reportedAt: string
              readonly lagging: boolean
              readonly reason: string | null
            }>
            readonly drift: {
              readonly from: { readonly commit: string; readonly digest: string }
              readonly to: { readonly commit: string; readonly digest: string }
              readonly at: string
              readonly examined: number
              readonly unexaminable: number
              readonly changed: number
            } | null
          }>
        }
      >,
      400 | 401 | 403 | 429 | 500 | 503
    >
  }
  '/v1/policies/:tenant': {
    /** One tenant’s policy, and each verdict that the last change of policy changed (role: viewer). */
    $get: Endpoint<
      { param: { tenant: string } },
      Done<
        200,
        'json',
        {
          readonly tenant: string
          readonly conditions: ReadonlyArray<{
            readonly name: string
            readonly message: string
            readonly since: string
            readonly commit: string | null
          }>
          readonly accepted: {
            readonly commit: string
            readonly digest: string
            readonly since: string
            readonly sequence: number
          } | null
          readonly enforced: {
            readonly commit: string
            readonly digest: string
            readonly repository: string
            readonly releases: number
            readonly rules: number
            readonly heartbeat: { readonly notAfter: string; readonly graceSeconds: number } | null
          } | null
          readonly enforcementPoints: ReadonlyArray<{
            readonly name: string
            readonly kind: string
            readonly commit: string
            readonly digest: string
            readonly reportedAt: string
            readonly lagging: boolean
            readonly reason: string | null
          }>
          readonly drift: {
            readonly from: { readonly commit: string; readonly digest: string }
            readonly to: { readonly commit: string; readonly digest: string }
            readonly at: string
            readonly examined: number
            readonly unexaminable: number
            readonly changed: number
            readonly entries: ReadonlyArray<{
              readonly appraisal: string
              readonly environment: string
              readonly agent: string
              readonly before: 'issued' | 'refused'
              readonly after: 'issued' | 'refused'
              readonly nowFailing: ReadonlyArray<string>
              readonly noLongerFailing: ReadonlyArray<string>
            }>
          } | null
        }
      >,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
  }
  '/v1/policies/:tenant/enforcement': {
    /** Which policy an enforcement point goes by now; to be said every half minute (role: enforcer). */
    $post: Endpoint<
      {
        param: { tenant: string }
        json: {
          readonly kind: 'sensor' | 'sandbox' | 'gateway'
          readonly instance?: string
          readonly commit: string
          readonly digest: string
        }
      },
      Done<202, 'text', string>,
      400 | 401 | 403 | 404 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/policies/:tenant/diff': {
    /** Whose verdict would change between two commits? The last week’s evidence appraised again (role: viewer). */
    $post: Endpoint<
      { param: { tenant: string }; json: { readonly old: string; readonly new: string } },
      Done<
        200,
        'json',
        {
          readonly from: { readonly commit: string; readonly digest: string }
          readonly to: { readonly commit: string; readonly digest: string }
          readonly at: string
          readonly examined: number
          readonly unexaminable: number
          readonly changed: number
          readonly entries: ReadonlyArray<{
            readonly appraisal: string
            readonly environment: string
            readonly agent: string
            readonly before: 'issued' | 'refused'
            readonly after: 'issued' | 'refused'
            readonly nowFailing: ReadonlyArray<string>
            readonly noLongerFailing: ReadonlyArray<string>
          }>
        }
      >,
      400 | 401 | 403 | 404 | 413 | 415 | 422 | 429 | 500 | 503
    >
  }
  '/v1/revocations': {
    /** Ends live tokens: one, those of an attestation, of a key or of an agent (role: operator). */
    $post: Endpoint<
      {
        json: {
          readonly tenant?: string
          readonly token?: string
          readonly appraisal?: string
          readonly key?: string
          readonly agent?: { readonly environment: string; readonly agent: string }
          readonly detail?: string
        }
      },
      Done<
        200,
        'json',
        { readonly revoked: number; readonly tokens: ReadonlyArray<string>; readonly next: string }
      >,
      400 | 401 | 403 | 404 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/reappraisals': {
    /** Judges stored evidence again, and revokes the tokens of what would not pass now (role: operator). */
    $post: Endpoint<
      { json: { readonly tenant?: string; readonly since?: string; readonly dryRun?: boolean } },
      Done<200, 'text', string>,
      400 | 401 | 403 | 404 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/introspections': {
    /** Whether a token of this service is good now (RFC 7662) (role: viewer). */
    $post: Endpoint<
      { json: { readonly token: string; readonly token_type_hint?: string } },
      Done<
        200,
        'json',
        | { readonly active: false }
        | {
            readonly active: true
            readonly token_type: 'DPoP' | 'Bearer' | 'WIT'
            readonly iss: string
            readonly sub: string
            readonly exp: number
            readonly iat: number
            readonly jti: string
            readonly [name: string]: unknown
          }
      >,
      400 | 401 | 403 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/events': {
    /** A stream of what happens: revoked tokens, sessions, bans, accepted policies, changed keys (role: viewer). */
    $get: Endpoint<
      { query?: { tenant?: string }; header?: { 'Last-Event-ID'?: string } },
      Done<200, 'text', string>,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
  }
  '/status-lists/:list': {
    /** Which tokens of this issuer hold no longer: a signed Token Status List. */
    $get: Endpoint<
      { param: { list: string } },
      Done<200, 'text', string>,
      400 | 404 | 429 | 500 | 503
    >
  }
  '/status-events': {
    /** An event for each token of this issuer that is revoked, as it happens. */
    $get: Endpoint<Nothing, Done<200, 'text', string>, 400 | 429 | 500>
  }
  '/v1/keys': {
    /** The service’s own keys: what signs, what will, and what did (role: operator). */
    $get: Endpoint<
      Nothing,
      Done<
        200,
        'json',
        {
          readonly keys: ReadonlyArray<{
            readonly purpose: string
            readonly kid: string
            readonly activeFrom: string
            readonly algorithm: string
            readonly state: 'next' | 'active' | 'retired' | 'over' | 'revoked'
            readonly createdAt: string
            readonly retiresAt: string | null
            readonly revokedAt: string | null
            readonly sealedUnder: string | null
          }>
        }
      >,
      400 | 401 | 403 | 429 | 500 | 503
    >
  }
  '/v1/keys/rotate': {
    /** Makes a successor for every key, or for those of some purposes, that has none yet (role: operator). */
    $post: Endpoint<
      { json: { readonly purposes?: ReadonlyArray<string> } },
      Done<
        200,
        'json',
        {
          readonly successors: ReadonlyArray<{
            readonly purpose: string
            readonly kid: string
            readonly activeFrom: string
          }>
          readonly next: string
        }
      >,
      400 | 401 | 403 | 404 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/keys/revoke': {
    /** Ends a key at once: what it signed is worth nothing any more (role: operator). */
    $post: Endpoint<
      { json: { readonly kid: string } },
      Done<
        200,
        'json',
        {
          readonly purpose: string
          readonly kid: string
          readonly revokedAt: string
          readonly replacement: {
            readonly purpose: string
            readonly kid: string
            readonly activeFrom: string
          } | null
          readonly next: string
        }
      >,
      400 | 401 | 403 | 404 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/resources': {
    /** Adds a secret or model key, gives it another version, or changes how it may be had (role: secret-admin). */
    $post: Endpoint<
      {
        json: {
          readonly tenant?: string
          readonly name: string
          readonly secret?: string
          readonly after?: number
          readonly use?: 'release' | 'decrypt' | 'sign'
          readonly approvals?: number
          readonly leaseSeconds?: number
          readonly releasesPerMinute?: number | null
          readonly brokerPath?: string | null
          readonly requiresSession?: boolean
          readonly acceptsSimulated?: boolean
        }
      },
      Done<
        200,
        'json',
        {
          readonly tenant: string
          readonly name: string
          readonly version: number
          readonly change: 'added' | 'rotated' | 'changed'
          readonly use: 'release' | 'decrypt' | 'sign'
          readonly approvals: number
          readonly leaseSeconds: number
          readonly releasesPerMinute: number | null
          readonly brokerPath: string | null
          readonly requiresSession: boolean
          readonly acceptsSimulated: boolean
          readonly next: string
        }
      >,
      400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500 | 503
    >
    /** Which secrets and model keys there are, and how each may be had; never what they are (role: viewer). */
    $get: Endpoint<
      { query?: { tenant?: string; after?: string } },
      Done<
        200,
        'json',
        {
          readonly resources: ReadonlyArray<{
            readonly tenant: string
            readonly name: string
            readonly use: 'release' | 'decrypt' | 'sign'
            readonly approvals: number
            readonly leaseSeconds: number
            readonly releasesPerMinute: number | null
            readonly brokerPath: string | null
            readonly requiresSession: boolean
            readonly acceptsSimulated: boolean
            readonly versions: ReadonlyArray<{
              readonly version: number
              readonly createdAt: string
              readonly createdBy: string
              readonly revokedAt: string | null
            }>
          }>
          readonly after: string | null
        }
      >,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
  }
  '/v1/resources/:name': {
    /** One secret or model key: its versions, who put them, and how it may be had (role: viewer). */
    $get: Endpoint<
      { param: { name: string }; query?: { tenant?: string } },
      Done<
        200,
        'json',
        {
          readonly tenant: string
          readonly name: string
          readonly use: 'release' | 'decrypt' | 'sign'
          readonly approvals: number
          readonly leaseSeconds: number
          readonly releasesPerMinute: number | null
          readonly brokerPath: string | null
          readonly requiresSession: boolean
          readonly acceptsSimulated: boolean
          readonly versions: ReadonlyArray<{
            readonly version: number
            readonly createdAt: string
            readonly createdBy: string
            readonly revokedAt: string | null
          }>
        }
      >,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
  }
  '/v1/resources/:name/revocations': {
    /** Ends versions of a secret or model key: nobody is given them any more (role: secret-admin). */
    $post: Endpoint<
      {
        param: { name: string }
        json: { readonly tenant?: string; readonly versions: 'all' | ReadonlyArray<number> }
      },
      Done<
        200,
        'json',
        {
          readonly tenant: string
          readonly name: string
          readonly revoked: ReadonlyArray<number>
          readonly next: string
        }
      >,
      400 | 401 | 403 | 404 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/release-approvals': {
    /** Which agents’ keys wait for operators to agree that they may have a secret (role: viewer). */
    $get: Endpoint<
      { query?: { tenant?: string } },
      Done<
        200,
        'json',
        {
          readonly approvals: ReadonlyArray<{
            readonly id: string
            readonly tenant: string
            readonly resource: string
            readonly version: number
            readonly environment: string
            readonly agent: string
            readonly jkt: string
            readonly requestedAt: string
            readonly expiresAt: string
            readonly approvedBy: ReadonlyArray<{ readonly operator: string; readonly at: string }>
            readonly needed: number | null
          }>
        }
      >,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
  }
  '/v1/release-approvals/:id': {
    /** Agrees that an agent’s key may have a version of a secret (role: secret-admin). */
    $post: Endpoint<
      { param: { id: string }; json: Record<string, never> },
      Done<
        200,
        'json',
        {
          readonly approval: {
            readonly id: string
            readonly tenant: string
            readonly resource: string
            readonly version: number
            readonly environment: string
            readonly agent: string
            readonly jkt: string
            readonly requestedAt: string
            readonly expiresAt: string
            readonly approvedBy: ReadonlyArray<{ readonly operator: string; readonly at: string }>
            readonly needed: number | null
          }
          readonly next: string
        }
      >,
      400 | 401 | 403 | 404 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/releases': {
    /** A secret, sealed to the attested key that asks. */
    $post: Endpoint<
      {
        header: { DPoP: string }
        json: {
          readonly resource: string
          readonly version?: number
          readonly minimumVersion?: number
          readonly encJwk: {
            readonly kty: 'EC'
            readonly crv: 'P-256'
            readonly x: string
            readonly y: string
          }
        }
      },
      Done<
        200,
        'json',
        {
          readonly release: string
          readonly resource: string
          readonly version: number
          readonly use: 'release' | 'decrypt' | 'sign'
          readonly envelope: string
          readonly lease?: { readonly expiresAt: string; readonly renewBy: string }
          readonly logLeaf: string
        }
      >,
      400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/releases/:id/renewals': {
    /** More time for what was released to this key. */
    $post: Endpoint<
      { param: { id: string }; header: { DPoP: string }; json: Record<string, never> },
      Done<
        200,
        'json',
        {
          readonly release: string
          readonly lease: { readonly expiresAt: string; readonly renewBy: string }
          readonly statement: string
        }
      >,
      400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/operations': {
    /** One operation with a key that never leaves; the result is sealed to the attested key. */
    $post: Endpoint<
      {
        header: { DPoP: string }
        json: {
          readonly resource: string
          readonly version?: number
          readonly minimumVersion?: number
          readonly operation: 'decrypt' | 'sign'
          readonly input: string
          readonly encJwk: {
            readonly kty: 'EC'
            readonly crv: 'P-256'
            readonly x: string
            readonly y: string
          }
        }
      },
      Done<
        200,
        'json',
        {
          readonly release: string
          readonly resource: string
          readonly version: number
          readonly use: 'release' | 'decrypt' | 'sign'
          readonly envelope: string
          readonly lease?: { readonly expiresAt: string; readonly renewBy: string }
          readonly logLeaf: string
        }
      >,
      400 | 401 | 403 | 404 | 409 | 413 | 415 | 422 | 429 | 500 | 503
    >
  }
  '/v1/sessions': {
    /** Evidence bound to the beginning of a transcript in; tokens, and a session that goes on, out (more is told to the role: viewer). */
    $post: Endpoint<
      {
        query?: { ear?: 'legacy' }
        header: { 'Attestation-Proof': string }
        json: {
          readonly tee?: string
          readonly evidence: {
            readonly quote: string
            readonly auxblob?: string
            readonly eventLog?: string
          }
          readonly endorsements?: {
            readonly certificates?: ReadonlyArray<string>
            readonly crls?: ReadonlyArray<string>
            readonly collateral?: { readonly [name: string]: string }
          }
          readonly runtimeClaims: {
            readonly nonce: string
            readonly verifier: string
            readonly sig_jkt: string
            readonly enc_jkt: '' | string
            readonly tenant: string
            readonly agent: string
            readonly environment: string
            readonly session: string
            readonly seq: string
            readonly transcript: string
          }
          readonly jwk: {
            readonly kty: 'EC'
            readonly crv: 'P-256'
            readonly x: string
            readonly y: string
          }
          readonly enc_jwk?: {
            readonly kty: 'EC'
            readonly crv: 'P-256'
            readonly x: string
            readonly y: string
          }
          readonly audience?: string | ReadonlyArray<string>
          readonly eat_nonce?: string
          readonly transcript: {
            readonly statement: {
              readonly session: string
              readonly boot: string
              readonly seq: string
              readonly measurements: string
              readonly measurement_head: string
              readonly behaviours: string
              readonly behaviour_head: string
              readonly dropped: string
              readonly previous: '' | string
              readonly policy: string
              readonly uptime: string
              readonly collector: string
              readonly modes: string
            }
            readonly measurement: ReadonlyArray<string>
            readonly behaviour: ReadonlyArray<string>
          }
        }
      },
      Done<
        200,
        'json',
        | {
            readonly id: string
            readonly tokens: ReadonlyArray<{
              readonly form: 'possession' | 'federation' | 'workload'
              readonly audience: string
              readonly token: string
              readonly encoding: 'jwt' | 'jwe'
              readonly type: 'at+jwt' | 'JWT' | 'wit+jwt'
              readonly issuer: string
              readonly subject: string
              readonly expiresAt: string
              readonly jti: string
              readonly status: { readonly uri: string; readonly index: number }
            }>
            readonly logLeaf: string
            readonly tee: string
            readonly assurance: 'hardware' | 'simulated'
            readonly status: 'affirming' | 'warning' | 'contraindicated' | 'none'
            readonly trustVector: { readonly [name: string]: number }
            readonly release: {
              readonly environment: string
              readonly agent: string
              readonly version: string
              readonly generation: number
              readonly manifest: string
              readonly referenceValue: string
              readonly line: number
              readonly changedBy: {
                readonly commit: string
                readonly principal: string | null
              } | null
            }
            readonly layers: ReadonlyArray<{
              readonly subject: string
              readonly digest: string
              readonly bound: 'hardware' | 'claimed'
              readonly through: string | null
            }>
            readonly policy: { readonly commit: string; readonly digest: string }
            readonly session: {
              readonly id: string
              readonly state:
                | 'NEW'
                | 'ACTIVE'
                | 'LATE'
                | 'SUSPENDED'
                | 'QUARANTINED'
                | 'REVOKED'
                | 'CLOSED'
              readonly seq: number
              readonly nonce: string
              readonly leaseUntil: string
              readonly heartbeatSeconds: number
              readonly quote: {
                readonly dueAt: string
                readonly demanded:
                  | 'schedule'
                  | 'growth'
                  | 'policy'
                  | 'operator'
                  | 'suspended'
                  | 'anomaly'
                  | null
              }
              readonly policy: { readonly commit: string; readonly digest: string }
            }
          }
        | {
            readonly session: {
              readonly id: string
              readonly state:
                | 'NEW'
                | 'ACTIVE'
                | 'LATE'
                | 'SUSPENDED'
                | 'QUARANTINED'
                | 'REVOKED'
                | 'CLOSED'
              readonly seq: number
              readonly nonce: string
              readonly leaseUntil: string
              readonly heartbeatSeconds: number
              readonly quote: {
                readonly dueAt: string
                readonly demanded:
                  | 'schedule'
                  | 'growth'
                  | 'policy'
                  | 'operator'
                  | 'suspended'
                  | 'anomaly'
                  | null
              }
              readonly policy: { readonly commit: string; readonly digest: string }
            }
          }
      >,
      400 | 403 | 409 | 413 | 415 | 429 | 500 | 503
    >
    /** Which sessions there are, and how each stands at this moment (role: viewer). */
    $get: Endpoint<
      {
        query?: {
          tenant?: string
          environment?: string
          agent?: string
          standing?: 'open' | 'suspended' | 'quarantined' | 'revoked' | 'closed'
          after?: string
        }
      },
      Done<
        200,
        'json',
        {
          readonly sessions: ReadonlyArray<{
            readonly id: string
            readonly tenant: string
            readonly environment: string
            readonly agent: string
            readonly state:
              | 'NEW'
              | 'ACTIVE'
              | 'LATE'
              | 'SUSPENDED'
              | 'QUARANTINED'
              | 'REVOKED'
              | 'CLOSED'
            readonly standing: 'open' | 'suspended' | 'quarantined' | 'revoked' | 'closed'
            readonly reason: string
            readonly by: string
            readonly changedAt: string
            readonly openedAt: string
            readonly heardAt: string
            readonly leaseUntil: string
            readonly quotedAt: string
            readonly heartbeatSeconds: number
            readonly attestEverySeconds: number
            readonly demanded:
              | 'schedule'
              | 'growth'
              | 'policy'
              | 'operator'
              | 'suspended'
              | 'anomaly'
              | null
            readonly seq: number
            readonly measurements: number
            readonly behaviours: number
            readonly dropped: number
            readonly modes: ReadonlyArray<string>
          }>
          readonly after: string | null
        }
      >,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
  }
  '/v1/sessions/:id/heartbeats': {
    /** An agent says that it is there, and what it loaded and did since it said so last (more is told to the role: viewer). */
    $post: Endpoint<
      { param: { id: string } },
      Done<
        200,
        'json',
        {
          readonly id: string
          readonly state:
            | 'NEW'
            | 'ACTIVE'
            | 'LATE'
            | 'SUSPENDED'
            | 'QUARANTINED'
            | 'REVOKED'
            | 'CLOSED'
          readonly seq: number
          readonly nonce: string
          readonly leaseUntil: string
          readonly heartbeatSeconds: number
          readonly quote: {
            readonly dueAt: string
            readonly demanded:
              | 'schedule'
              | 'growth'
              | 'policy'
              | 'operator'
              | 'suspended'
              | 'anomaly'
              | null
          }
          readonly policy: { readonly commit: string; readonly digest: string }
        }
      >,
      400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/sessions/:id/attestations': {
    /** A new full quote over the transcript as it stands: tokens, and the session is ACTIVE again (more is told to the role: viewer). */
    $post: Endpoint<
      {
        param: { id: string }
        query?: { ear?: 'legacy' }
        header: { 'Attestation-Proof': string }
        json: {
          readonly tee?: string
          readonly evidence: {
            readonly quote: string
            readonly auxblob?: string
            readonly eventLog?: string
          }
          readonly endorsements?: {
            readonly certificates?: ReadonlyArray<string>
            readonly crls?: ReadonlyArray<string>
            readonly collateral?: { readonly [name: string]: string }
          }
          readonly runtimeClaims: {
            readonly nonce: string
            readonly verifier: string
            readonly sig_jkt: string
            readonly enc_jkt: '' | string
            readonly tenant: string
            readonly agent: string
            readonly environment: string
            readonly session: string
            readonly seq: string
            readonly transcript: string
          }
          readonly jwk: {
            readonly kty: 'EC'
            readonly crv: 'P-256'
            readonly x: string
            readonly y: string
          }
          readonly enc_jwk?: {
            readonly kty: 'EC'
            readonly crv: 'P-256'
            readonly x: string
            readonly y: string
          }
          readonly audience?: string | ReadonlyArray<string>
          readonly eat_nonce?: string
          readonly transcript: {
            readonly statement: {
              readonly session: string
              readonly boot: string
              readonly seq: string
              readonly measurements: string
              readonly measurement_head: string
              readonly behaviours: string
              readonly behaviour_head: string
              readonly dropped: string
              readonly previous: '' | string
              readonly policy: string
              readonly uptime: string
              readonly collector: string
              readonly modes: string
            }
            readonly measurement: ReadonlyArray<string>
            readonly behaviour: ReadonlyArray<string>
          }
        }
      },
      Done<
        200,
        'json',
        | {
            readonly id: string
            readonly tokens: ReadonlyArray<{
              readonly form: 'possession' | 'federation' | 'workload'
              readonly audience: string
              readonly token: string
              readonly encoding: 'jwt' | 'jwe'
              readonly type: 'at+jwt' | 'JWT' | 'wit+jwt'
              readonly issuer: string
              readonly subject: string
              readonly expiresAt: string
              readonly jti: string
              readonly status: { readonly uri: string; readonly index: number }
            }>
            readonly logLeaf: string
            readonly tee: string
            readonly assurance: 'hardware' | 'simulated'
            readonly status: 'affirming' | 'warning' | 'contraindicated' | 'none'
            readonly trustVector: { readonly [name: string]: number }
            readonly release: {
              readonly environment: string
              readonly agent: string
              readonly version: string
              readonly generation: number
              readonly manifest: string
              readonly referenceValue: string
              readonly line: number
              readonly changedBy: {
                readonly commit: string
                readonly principal: string | null
              } | null
            }
            readonly layers: ReadonlyArray<{
              readonly subject: string
              readonly digest: string
              readonly bound: 'hardware' | 'claimed'
              readonly through: string | null
            }>
            readonly policy: { readonly commit: string; readonly digest: string }
            readonly session: {
              readonly id: string
              readonly state:
                | 'NEW'
                | 'ACTIVE'
                | 'LATE'
                | 'SUSPENDED'
                | 'QUARANTINED'
                | 'REVOKED'
                | 'CLOSED'
              readonly seq: number
              readonly nonce: string
              readonly leaseUntil: string
              readonly heartbeatSeconds: number
              readonly quote: {
                readonly dueAt: string
                readonly demanded:
                  | 'schedule'
                  | 'growth'
                  | 'policy'
                  | 'operator'
                  | 'suspended'
                  | 'anomaly'
                  | null
              }
              readonly policy: { readonly commit: string; readonly digest: string }
            }
          }
        | {
            readonly session: {
              readonly id: string
              readonly state:
                | 'NEW'
                | 'ACTIVE'
                | 'LATE'
                | 'SUSPENDED'
                | 'QUARANTINED'
                | 'REVOKED'
                | 'CLOSED'
              readonly seq: number
              readonly nonce: string
              readonly leaseUntil: string
              readonly heartbeatSeconds: number
              readonly quote: {
                readonly dueAt: string
                readonly demanded:
                  | 'schedule'
                  | 'growth'
                  | 'policy'
                  | 'operator'
                  | 'suspended'
                  | 'anomaly'
                  | null
              }
              readonly policy: { readonly commit: string; readonly digest: string }
            }
          }
      >,
      400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/sessions/:id/tokens': {
    /** New tokens in place of those that end, on the evidence of the last quote. */
    $post: Endpoint<
      { param: { id: string }; query?: { ear?: 'legacy' } },
      Done<
        200,
        'json',
        {
          readonly tokens: ReadonlyArray<{
            readonly form: 'possession' | 'federation' | 'workload'
            readonly audience: string
            readonly token: string
            readonly encoding: 'jwt' | 'jwe'
            readonly type: 'at+jwt' | 'JWT' | 'wit+jwt'
            readonly issuer: string
            readonly subject: string
            readonly expiresAt: string
            readonly jti: string
            readonly status: { readonly uri: string; readonly index: number }
          }>
          readonly logLeaf: string
        }
      >,
      400 | 401 | 404 | 409 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/sessions/:id/close': {
    /** The agent is done: its session is closed, and its tokens are revoked. */
    $post: Endpoint<
      { param: { id: string } },
      Done<
        200,
        'json',
        {
          readonly id: string
          readonly state:
            | 'NEW'
            | 'ACTIVE'
            | 'LATE'
            | 'SUSPENDED'
            | 'QUARANTINED'
            | 'REVOKED'
            | 'CLOSED'
          readonly seq: number
          readonly nonce: string
          readonly leaseUntil: string
          readonly heartbeatSeconds: number
          readonly quote: {
            readonly dueAt: string
            readonly demanded:
              | 'schedule'
              | 'growth'
              | 'policy'
              | 'operator'
              | 'suspended'
              | 'anomaly'
              | null
          }
          readonly policy: { readonly commit: string; readonly digest: string }
        }
      >,
      400 | 401 | 404 | 409 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/sessions/:id': {
    /** One session: what it measured, what is wrong with it, and what brought it down (role: viewer). */
    $get: Endpoint<
      { param: { id: string } },
      Done<
        200,
        'json',
        {
          readonly id: string
          readonly tenant: string
          readonly environment: string
          readonly agent: string
          readonly state:
            | 'NEW'
            | 'ACTIVE'
            | 'LATE'
            | 'SUSPENDED'
            | 'QUARANTINED'
            | 'REVOKED'
            | 'CLOSED'
          readonly standing: 'open' | 'suspended' | 'quarantined' | 'revoked' | 'closed'
          readonly reason: string
          readonly by: string
          readonly changedAt: string
          readonly openedAt: string
          readonly heardAt: string
          readonly leaseUntil: string
          readonly quotedAt: string
          readonly heartbeatSeconds: number
          readonly attestEverySeconds: number
          readonly demanded:
            | 'schedule'
            | 'growth'
            | 'policy'
            | 'operator'
            | 'suspended'
            | 'anomaly'
            | null
          readonly seq: number
          readonly measurements: number
          readonly behaviours: number
          readonly dropped: number
          readonly modes: ReadonlyArray<string>
          readonly subject: string
          readonly issuer: string
          readonly jkt: string
          readonly platforms: ReadonlyArray<string>
          readonly boot: string
          readonly collector: string
          readonly appraisal: string
          readonly statement: string
          readonly heads: {
            readonly measurement: string
            readonly behaviour: string
            readonly register: string
          }
          readonly usage: { readonly [name: string]: string | number }
          readonly policyDigest: string
          readonly measured: {
            readonly kinds: { readonly [name: string]: number }
            readonly newest: ReadonlyArray<{
              readonly kind: string
              readonly path: string
              readonly digest: string
            }>
          }
          readonly findings: ReadonlyArray<{ readonly id: string; readonly detail: string }>
        }
      >,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
  }
  '/v1/sessions/:id/actions': {
    /** Quarantines, releases or evicts a session, or asks it for a full quote (role: operator). */
    $post: Endpoint<
      {
        param: { id: string }
        json: {
          readonly action: 'quarantine' | 'release' | 'evict' | 'quote'
          readonly reason: string
        }
      },
      Done<
        200,
        'json',
        {
          readonly id: string
          readonly tenant: string
          readonly environment: string
          readonly agent: string
          readonly state:
            | 'NEW'
            | 'ACTIVE'
            | 'LATE'
            | 'SUSPENDED'
            | 'QUARANTINED'
            | 'REVOKED'
            | 'CLOSED'
          readonly standing: 'open' | 'suspended' | 'quarantined' | 'revoked' | 'closed'
          readonly reason: string
          readonly by: string
          readonly changedAt: string
          readonly openedAt: string
          readonly heardAt: string
          readonly leaseUntil: string
          readonly quotedAt: string
          readonly heartbeatSeconds: number
          readonly attestEverySeconds: number
          readonly demanded:
            | 'schedule'
            | 'growth'
            | 'policy'
            | 'operator'
            | 'suspended'
            | 'anomaly'
            | null
          readonly seq: number
          readonly measurements: number
          readonly behaviours: number
          readonly dropped: number
          readonly modes: ReadonlyArray<string>
        }
      >,
      400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/session-summary': {
    /** How many sessions are in which state, and what watching them costs (role: viewer). */
    $get: Endpoint<
      { query?: { tenant?: string } },
      Done<
        200,
        'json',
        {
          readonly tenant: string
          readonly sessions: number
          readonly states: { readonly [name: string]: number }
          readonly heartbeatsPerMinute: number
          readonly quotesPerMinute: number
          readonly agents: ReadonlyArray<{
            readonly environment: string
            readonly agent: string
            readonly sessions: number
            readonly heartbeatSeconds: number
            readonly attestEverySeconds: number
            readonly heartbeatsPerMinute: number
            readonly quotesPerMinute: number
          }>
        }
      >,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
  }
  '/v1/bans': {
    /** Which machines may not be attested, for which agents (role: viewer). */
    $get: Endpoint<
      { query?: { tenant?: string } },
      Done<
        200,
        'json',
        {
          readonly bans: ReadonlyArray<{
            readonly tenant: string
            readonly platform: string
            readonly agent: { readonly environment: string; readonly agent: string } | null
            readonly reason: string
            readonly by: string
            readonly at: string
          }>
        }
      >,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
    /** Bans a machine, for one agent or for every one: no session and no token until it is lifted (role: operator). */
    $post: Endpoint<
      {
        json: {
          readonly tenant?: string
          readonly platform?: string
          readonly session?: string
          readonly agent?: { readonly environment: string; readonly agent: string }
          readonly reason: string
        }
      },
      Done<
        200,
        'json',
        {
          readonly bans: ReadonlyArray<{
            readonly tenant: string
            readonly platform: string
            readonly agent: { readonly environment: string; readonly agent: string } | null
            readonly reason: string
            readonly by: string
            readonly at: string
          }>
          readonly sessions: number
          readonly next: string
        }
      >,
      400 | 401 | 403 | 404 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/bans/lifts': {
    /** Lifts a ban (role: operator). */
    $post: Endpoint<
      {
        json: {
          readonly tenant?: string
          readonly platform: string
          readonly agent?: { readonly environment: string; readonly agent: string }
          readonly reason: string
        }
      },
      Done<
        200,
        'json',
        {
          readonly lifted: {
            readonly tenant: string
            readonly platform: string
            readonly agent: { readonly environment: string; readonly agent: string } | null
            readonly reason: string
            readonly by: string
            readonly at: string
          }
          readonly next: string
        }
      >,
      400 | 401 | 403 | 404 | 413 | 415 | 429 | 500 | 503
    >
  }
  '/v1/log/checkpoint': {
    /** The newest signed checkpoint of the transparency log, with the cosignatures it has. */
    $get: Endpoint<Nothing, Done<200, 'text', string>, 400 | 404 | 429 | 500 | 503>
  }
  '/v1/log/key': {
    /** The log’s verifier key (C2SP signed-note), which an auditor compares with what he was given. */
    $get: Endpoint<Nothing, Done<200, 'text', string>, 400 | 429 | 500 | 503>
  }
  '/v1/log/tile/:level/:n1': {
    /** A tile of the log, or of its entries, whose path has 1 segments (C2SP tlog-tiles). */
    $get: Endpoint<
      { param: { level: string; n1: string } },
      Done<200, 'text', string>,
      400 | 404 | 429 | 500 | 503
    >
  }
  '/v1/log/tile/:level/:n1/:n2': {
    /** A tile of the log, or of its entries, whose path has 2 segments (C2SP tlog-tiles). */
    $get: Endpoint<
      { param: { level: string; n1: string; n2: string } },
      Done<200, 'text', string>,
      400 | 404 | 429 | 500 | 503
    >
  }
  '/v1/log/tile/:level/:n1/:n2/:n3': {
    /** A tile of the log, or of its entries, whose path has 3 segments (C2SP tlog-tiles). */
    $get: Endpoint<
      { param: { level: string; n1: string; n2: string; n3: string } },
      Done<200, 'text', string>,
      400 | 404 | 429 | 500 | 503
    >
  }
  '/v1/log/tile/:level/:n1/:n2/:n3/:n4': {
    /** A tile of the log, or of its entries, whose path has 4 segments (C2SP tlog-tiles). */
    $get: Endpoint<
      { param: { level: string; n1: string; n2: string; n3: string; n4: string } },
      Done<200, 'text', string>,
      400 | 404 | 429 | 500 | 503
    >
  }
  '/v1/log/proof': {
    /** A proof that a leaf is in the log, to be checked with the log’s key alone. */
    $get: Endpoint<
      { query: { leaf: string } },
      Done<
        200,
        'json',
        {
          readonly type: 'vouchsafe/log-proof/v1'
          readonly leaf: string
          readonly index: number
          readonly path: ReadonlyArray<string>
          readonly denial?: {
            readonly position: number
            readonly path: ReadonlyArray<string>
            readonly entry: string
          }
          readonly checkpoint: string
          readonly disclosed?: {
            readonly entry: string
            readonly salt: string
            readonly record: string
          }
        }
      >,
      400 | 404 | 429 | 500 | 503
    >
  }
  '/v1/log/consistency': {
    /** A proof that a tree of the log continues a smaller one. */
    $get: Endpoint<
      { query: { from: string; to: string } },
      Done<
        200,
        'json',
        { readonly from: number; readonly to: number; readonly proof: ReadonlyArray<string> }
      >,
      400 | 404 | 429 | 500 | 503
    >
  }
  '/v1/log/entries/:leaf/body': {
    /** What a leaf is about: the salted record that its entry covers (role: auditor). */
    $get: Endpoint<
      { param: { leaf: string } },
      Done<
        200,
        'json',
        {
          readonly kind: string
          readonly tenant?: string
          readonly subject: string
          readonly entry: string
          readonly salt: string
          readonly record: string
        }
      >,
      400 | 401 | 403 | 404 | 429 | 500 | 503
    >
  }
  '/.well-known/attestation': {
    /** The verifier’s own evidence over your nonce, this issuer, its keys and its log’s key. */
    $get: Endpoint<
      { query: { nonce: string } },
      Done<
        200,
        'json',
        {
          readonly claims: string
          readonly evidence: {
            readonly tee: string
            readonly quote: string
            readonly auxblob?: string
            readonly eventLog?: string
          }
          readonly endorsements: {
            readonly certificates: ReadonlyArray<string>
            readonly crls: ReadonlyArray<string>
            readonly tcbInfos: ReadonlyArray<{
              readonly body: string
              readonly signature: string
              readonly issuerChain: ReadonlyArray<string>
            }>
            readonly qeIdentities: ReadonlyArray<{
              readonly body: string
              readonly signature: string
              readonly issuerChain: ReadonlyArray<string>
            }>
          }
          readonly jwks: string
        }
      >,
      400 | 429 | 500 | 501 | 503
    >
  }
  '/v1/webhooks/policy/:tenant': {
    /** A forge’s webhook: look for a new policy soon. The body is read for its HMAC only. */
    $post: Endpoint<
      {
        param: { tenant: string }
        header?: { 'X-Hub-Signature-256'?: string; 'X-Gitlab-Token'?: string }
      },
      Done<202, 'text', string>,
      400 | 403 | 404 | 413 | 429 | 500
    >
  }
  '/v1/schemas': {
    /** Names and addresses of the JSON Schemas of policy documents. */
    $get: Endpoint<
      Nothing,
      Done<
        200,
        'json',
        { readonly schemas: ReadonlyArray<{ readonly name: string; readonly url: string }> }
      >,
      400 | 429 | 500
    >
  }
  '/v1/schemas/:name': {
    /** One JSON Schema, for the editor in which a policy document is written. */
    $get: Endpoint<
      { param: { name: string } },
      Done<200, 'json', { readonly [name: string]: unknown }>,
      400 | 404 | 429 | 500
    >
  }
  '/healthz': {
    /** Whether the process answers. */
    $get: Endpoint<Nothing, Done<200, 'text', string>, 400 | 500>
  }
  '/readyz': {
    /** Whether an attestation could be answered now: storage, policy, and a known verdict. */
    $get: Endpoint<
      Nothing,
      Done<
        200,
        'json',
        {
          readonly ready: boolean
          readonly checks: ReadonlyArray<{
            readonly name: string
            readonly ok: boolean
            readonly detail: string
          }>
        }
      >,
      400 | 500
    >
  }
}
