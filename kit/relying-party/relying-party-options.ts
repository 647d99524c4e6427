/** What does a relying party's operator say, and can it be meant? Everything is looked at before the first token comes. */
import { assertAddress, type Fetch } from './bounded-fetch.ts'
import { memoryProofStore, type ProofStore } from './proof-store.ts'
import { assertRequiredClaims, type RequiredClaims } from './required-claims.ts'
import { formNames, type TokenForm } from './token-form.ts'
import { quoted } from './verdict.ts'

export interface RelyingPartyOptions {
  /** Issuer URL, exactly as tokens name it. Simulated evidence has another: `<issuer>/simulated`. */
  readonly issuer: string
  /** Names of yours that tokens may have as audience. The form `workload` has none. */
  readonly audience: string | readonly string[]
  /** Default: `possession` alone. */
  readonly accept?: readonly TokenForm[]
  /** Default: evidence of real hardware with status `affirming`. */
  readonly required?: RequiredClaims
  /** Address of the JSON Web Key Set. Default: what OpenID Connect Discovery says. */
  readonly jwksUri?: string
  /** Seconds by which the issuer's clock and yours may differ; 0 to 60, default 10. */
  readonly clockSkewSeconds?: number
  /** Default: 300. The issuer publishes keys before they sign, and withdraws revoked ones at once. */
  readonly keysMaxAgeSeconds?: number
  /** How long keys count after that while the issuer does not answer. Default: 300; 0 to 3600. */
  readonly keysGraceSeconds?: number
  /** Default `checked`. `ignored`: a revoked token counts until its `exp`. */
  readonly statusList?: 'checked' | 'ignored'
  /** How long a list counts after its ttl (30 s) while no newer one is to be had, and never after its `exp`. Default 30; 0 to 300. */
  readonly statusGraceSeconds?: number
  /** Whether a proof must name the digest of the request's body (`bodySha256`). Default `required`. */
  readonly bodyDigest?: 'required' | 'if-named'
  /** Default: in this process, which is right where there is one. */
  readonly proofs?: ProofStore
  /** Default: the global one. */
  readonly fetch?: Fetch
  /** Milliseconds since 1970. Default: Date.now. */
  readonly now?: () => number
}

/** As in the options, with every default in its place. */
export interface Settings {
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly accept: readonly TokenForm[]
  readonly required: RequiredClaims
  readonly jwksUri: string | undefined
  readonly skewSeconds: number
  readonly keysMaxAgeSeconds: number
  readonly keysGraceSeconds: number
  readonly statusList: 'checked' | 'ignored'
  readonly statusGraceSeconds: number
  readonly bodyDigest: 'required' | 'if-named'
  readonly proofs: ProofStore
  readonly fetch: Fetch
  readonly now: () => number
}

/** Throws TypeError for options that cannot be meant: they may come from a file, or from JavaScript. */
export function settingsOf(options: RelyingPartyOptions): Settings {
  const { issuer, audience, accept = ['possession'], required = {}, jwksUri } = options
  const { statusList = 'checked', bodyDigest = 'required', now = Date.now } = options
  assertAddress(issuer, 'issuer')
  if (jwksUri !== undefined) assertAddress(jwksUri, 'jwksUri')
  const audiences = typeof audience === 'string' ? [audience] : audience
  assertTexts('audience', audiences)
  assertTexts('accept', accept, formNames)
  assertTexts('statusList', [statusList], ['checked', 'ignored'])
  assertTexts('bodyDigest', [bodyDigest], ['required', 'if-named'])
  assertRequiredClaims(required)
  return {
    issuer,
    audiences,
    accept,
    required,
    jwksUri,
    skewSeconds: seconds('clockSkewSeconds', options.clockSkewSeconds ?? 10, 60),
    keysMaxAgeSeconds: seconds('keysMaxAgeSeconds', options.keysMaxAgeSeconds ?? 300, 3600),
    keysGraceSeconds: seconds('keysGraceSeconds', options.keysGraceSeconds ?? 300, 3600),
    statusList,
    statusGraceSeconds: seconds('statusGraceSeconds', options.statusGraceSeconds ?? 30, 300),
    bodyDigest,
    proofs: options.proofs ?? memoryProofStore({ now }),
    // Looked up at each call: tests and tracing replace the global one.
    fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    now,
  }
}

function assertTexts(name: string, list: readonly string[], choices?: readonly string[]): void {
  if (
    !Array.isArray(list) ||
    list.length === 0 ||
    list.some((text) => typeof text !== 'string' || text === '')
  )
    throw new TypeError(`${name} must name at least one`)
  for (const text of list)
    if (choices && !choices.includes(text))
      throw new TypeError(`${name} must be of ${choices.join(', ')}, not ${quoted(text)}`)
}

function seconds(name: string, value: number, most: number): number {
  if (typeof value === 'number' && value >= 0 && value <= most) return value
  throw new TypeError(`${name} must be 0 to ${most} seconds, not ${value}`)
}
