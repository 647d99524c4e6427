/** Is a token the issuer's, for us, good at this moment, and does it say enough? All that can be told without its presenter. */
import { type AttestedClaims, readClaims } from './attested-claims.ts'
import { decodeCompactJws, isSignedBy } from './compact-jws.ts'
import type { KeyCache } from './key-cache.ts'
import type { Settings } from './relying-party-options.ts'
import { refusalBy } from './required-claims.ts'
import { type FormRules, formOf, tokenForms } from './token-form.ts'
import { quoted, type Refused, refused } from './verdict.ts'

/** A token with everything in it has 7,400 characters. */
const LONGEST = 16 * 1024

export interface TokenQuestion {
  readonly token: string | undefined
  /** What it must have as `eat_nonce`; undefined: whatever it has. */
  readonly nonce: string | undefined
  readonly keys: Readonly<Record<FormRules['keyUse'], KeyCache>>
}

export async function openToken(
  { token, nonce, keys }: TokenQuestion,
  settings: Settings,
): Promise<AttestedClaims | Refused> {
  const { accept, issuer } = settings
  // JavaScript may bring anything.
  if (typeof token !== 'string' || token === '')
    return refused('token-missing', 'there is no token')
  const jws = decodeCompactJws(token, LONGEST)
  if (!jws)
    return refused('token-malformed', 'it is no compact JWT; its agent opens one that is encrypted')
  const named = formOf(jws.header)
  if (!named || !accept.includes(named.form))
    return refused(
      'token-form-other',
      `it is not of the form ${accept.join(' or ')}: ${quoted(jws.header)}`,
    )
  const { form, kid } = named
  const { alg, keyUse } = tokenForms[form]
  const key = await keys[keyUse].keyFor(kid)
  if (key === 'unavailable')
    return refused('keys-unavailable', `the keys of ${issuer} cannot be fetched`)
  if (key === 'unknown' || key.alg !== alg)
    return refused('key-unknown', `${issuer} publishes no ${alg} key ${quoted(kid)}`)
  if (!(await isSignedBy(jws, key)))
    return refused('signature-wrong', `the key ${quoted(kid)} did not sign it`)
  // From here on somebody said it who has a key of the issuer.
  if (form !== 'workload' && jws.payload.iss !== issuer)
    return refused('issuer-other', `its iss is ${quoted(jws.payload.iss)}, and not ${issuer}`)
  const claims = await readClaims(jws.payload, { form, issuer })
  if (typeof claims === 'string') return refused('claims-malformed', claims)
  return claimsRefusal(claims, nonce, settings) ?? refusalBy(settings.required, claims) ?? claims
}

function claimsRefusal(
  claims: AttestedClaims,
  nonce: string | undefined,
  { issuer, audiences, skewSeconds, now }: Settings,
): Refused | undefined {
  const { form, audience: aud, issuedAt, expiresAt } = claims
  // A WIT-SVID has no iss; the result inside names its verifier all the same.
  if (claims.verifier !== issuer)
    return refused('issuer-other', `its verifier is ${quoted(claims.verifier)}, and not ${issuer}`)
  if (aud !== undefined && !audiences.includes(aud))
    return refused('audience-other', `it is for ${quoted(aud)}, not for ${audiences.join(' or ')}`)
  const at = now() / 1000
  if (at >= expiresAt + skewSeconds)
    return refused('token-expired', `it ended at ${expiresAt}, and it is ${at}`)
  const begins = Math.max(claims.notBefore, issuedAt)
  if (at < begins - skewSeconds)
    return refused('token-not-yet-good', `it begins at ${begins}, and it is ${at}`)
  const { longestSeconds } = tokenForms[form]
  if (expiresAt - issuedAt > longestSeconds)
    return refused(
      'token-too-long-lived',
      `it lives for ${expiresAt - issuedAt} s, and no ${form} token for more than ${longestSeconds}`,
    )
  if (nonce !== undefined && claims.nonce !== nonce)
    return refused('nonce-other', 'its eat_nonce is not the one that was asked for')
  return undefined
}
