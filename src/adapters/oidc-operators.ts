/** Which operator does a token of an OpenID Connect provider name, and with which roles? Signed by it, for us, and not over. */
import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose'
import type { IdentityProviderConfig } from '../config/identity-provider.ts'
import { Problem } from '../problems.ts'
import type { IdentityProvider, OperatorRole } from '../service/operators.ts'
import { oidcKeys, ProviderFault } from './oidc-keys.ts'

/** Signatures only: a symmetric key would be one that we hold, and `none` is nobody's. */
const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]
/**
 * RFC 9068 section 2.1, and what providers write that were there before it; absent where they write nothing. Whatever was
 * signed as another kind of token, as a logout token or a proof is, is none of an operator.
 */
const types: readonly (string | undefined)[] = ['at+jwt', 'application/at+jwt', 'jwt', undefined]
const CLOCK_TOLERANCE_SECONDS = 10
/** OpenID Connect Core section 2: a subject has at most 255 ASCII characters. */
const SUBJECT = /^[\x21-\x7e]{1,255}$/
const RETRY_AFTER_SECONDS = 5

export function oidcOperators(config: IdentityProviderConfig): IdentityProvider {
  const { issuer, audience } = config
  const keyOf = oidcKeys(issuer)
  return {
    async operatorOf(token, at) {
      // Before the provider is asked for keys, which a stranger's token should not cause.
      if (issuerOf(token) !== issuer) return undefined
      try {
        const { payload, protectedHeader } = await jwtVerify(token, keyOf, {
          issuer,
          audience,
          algorithms,
          currentDate: at,
          clockTolerance: CLOCK_TOLERANCE_SECONDS,
          requiredClaims: ['iss', 'sub', 'aud', 'exp'],
        })
        if (!types.includes(protectedHeader.typ?.toLowerCase())) return undefined
        return operatorOf(payload, config)
      } catch (cause) {
        if (cause instanceof ProviderFault)
          throw new Problem(
            'identity-provider-unavailable',
            'it gave no keys to check tokens with',
            {
              retryAfterSeconds: RETRY_AFTER_SECONDS,
              cause,
            },
          )
        if (cause instanceof errors.JOSEError) return undefined
        throw cause
      }
    },
  }
}

/** Undefined for what is no JWT. Nothing is believed of it yet. */
function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss
  } catch {
    return undefined
  }
}

/** Undefined where no value of the claim is a role: a good token of somebody who is no operator. */
function operatorOf(payload: JWTPayload, { roleClaim, roles }: IdentityProviderConfig) {
  const { sub, exp } = payload
  if (sub === undefined || exp === undefined || !SUBJECT.test(sub)) return undefined
  const own = new Set<OperatorRole>()
  for (const value of valuesOf(payload, roleClaim)) {
    const role = roles.get(value)
    if (role) own.add(role)
  }
  if (own.size === 0) return undefined
  const until = new Date((exp + CLOCK_TOLERANCE_SECONDS) * 1000)
  return { name: `oidc:${encodeURIComponent(sub)}`, roles: [...own], until }
}

/** A claim of that very name, or one further in; a list of texts, or one text with spaces between values. */
function valuesOf(payload: JWTPayload, claim: string): readonly string[] {
  const value = Object.hasOwn(payload, claim) ? payload[claim] : within(payload, claim.split('.'))
  if (typeof value === 'string') return value.split(' ')
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

function within(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return value
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return within((value as Readonly<Record<string, unknown>>)[name], rest)
}
