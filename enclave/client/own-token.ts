/**
 * Did the pinned issuer give this token, and to this agent's keys? A token of another issuer would be refused where it is
 * presented anyway; but its times set the clock by which the agent goes, and its id is what a secret is sealed for.
 */
import { compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose'
import { z } from 'zod'
import type { AgentKeys, OpenedToken } from '../attestation.ts'
import { AnswerDistrusted } from './faults.ts'
import type { IssuerKeys } from './issuer-keys.ts'

/** What of a token of possession the agent itself goes by. */
export interface OwnToken extends OpenedToken {
  readonly jti: string
  /** By the service's clock, in whole seconds: when it was issued, and for how long it holds. */
  readonly issuedAtSeconds: number
  readonly lifetimeSeconds: number
}

const headerSchema = z.strictObject({
  alg: z.literal('ES256'),
  kid: z.string().max(256),
  typ: z.literal('at+jwt'),
})
const claimsSchema = z.looseObject({
  iss: z.string(),
  aud: z.string(),
  iat: z.int(),
  exp: z.int(),
  jti: z.string().min(1).max(256),
  cnf: z.strictObject({ jkt: z.string() }),
  enc_jkt: z.string(),
})

/**
 * Not checked: `exp` against a clock, since there is none to be trusted here: the lifetime counts from the moment at which
 * the token was asked for. Throws AnswerDistrusted.
 */
async function openOwnToken(
  token: OpenedToken,
  { issuer, issuerKeys, keys }: OwnIssuer,
): Promise<OwnToken> {
  const claims = claimsSchema.safeParse(await verifiedPayload(token.token, issuerKeys))
  if (!claims.success) throw distrusted('it lacks what a token of possession says')
  const { iss, aud, iat, exp, jti, cnf, enc_jkt } = claims.data
  const names = [
    ['iss', iss, issuer],
    ['aud', aud, token.audience],
    ['cnf.jkt', cnf.jkt, keys.sig.thumbprint],
    ['enc_jkt', enc_jkt, keys.enc.thumbprint],
  ] as const
  for (const [name, found, expected] of names)
    if (found !== expected) throw distrusted(`its ${name} is ${found}, and not ${expected}`)
  if (exp <= iat) throw distrusted('it ends before it begins')
  return { ...token, jti, issuedAtSeconds: iat, lifetimeSeconds: exp - iat }
}

/** `audience`: of the token that is presented to the service itself; the others are for those who check them. Throws AnswerDistrusted. */
export async function openAttested(
  tokens: readonly OpenedToken[],
  { audience, ...own }: OwnIssuer & { readonly audience: string },
): Promise<{ readonly tokens: readonly OpenedToken[]; readonly possession: OwnToken }> {
  const token = tokens.find((each) => each.form === 'possession' && each.audience === audience)
  if (!token) throw new AnswerDistrusted(`the answer has no token of possession for ${audience}`)
  return { tokens, possession: await openOwnToken(token, own) }
}

export interface OwnIssuer {
  /** Pinned. */
  readonly issuer: string
  readonly issuerKeys: IssuerKeys
  readonly keys: AgentKeys
}

async function verifiedPayload(token: string, issuerKeys: IssuerKeys): Promise<unknown> {
  const header = headerSchema.safeParse(headerOf(token))
  if (!header.success) throw distrusted('it is no token of possession (ES256, typ at+jwt)')
  const { kid } = header.data
  const found = (await issuerKeys.withKid(kid)).find((key) => key.kid === kid)
  // What signs envelopes signs no tokens.
  if (found?.use !== 'sig') throw distrusted('no key of the pinned issuer has its kid')
  const { kty, crv, x, y } = found
  try {
    const key = await importJWK({ kty, crv, x, y } as JWK, 'ES256')
    const { payload } = await compactVerify(token, key, { algorithms: ['ES256'] })
    return JSON.parse(new TextDecoder().decode(payload))
  } catch {
    throw distrusted('no key of the pinned issuer signed it')
  }
}

function headerOf(token: string): unknown {
  try {
    return decodeProtectedHeader(token)
  } catch {
    return undefined
  }
}

function distrusted(reason: string): AnswerDistrusted {
  return new AnswerDistrusted(`the token that came is not believed: ${reason}`)
}
