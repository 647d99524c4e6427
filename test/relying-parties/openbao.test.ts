/** OpenBao and Vault, JWT auth: what their documentation and source demand; the library that decides runs under test/interop. */
import { claiming, demands, discovering, headed, keyFor } from './rules.ts'

const api = 'OpenBao API, JWT/OIDC auth method'

demands('OpenBao and Vault', {
  audience: 'sts.amazonaws.com',
  rules: [
    [
      'the algorithm is RS256, which roles take unless told otherwise',
      `${api}, jwt_supported_algs`,
      ({ header }) => header.alg === 'RS256',
      headed({ alg: 'HS256' }),
    ],
    [
      'the audience is one of bound_audiences',
      `${api}, bound_audiences`,
      ({ claims }) => claims.aud === 'sts.amazonaws.com',
      claiming({ aud: undefined }),
    ],
    [
      'user_claim is text: sub, or any flat one',
      `${api}, user_claim`,
      ({ claims }) => typeof claims.sub === 'string' && typeof claims.att_agent === 'string',
      claiming({ att_agent: { name: 'invoice-bot' } }),
    ],
    [
      'bound_claims can look into nested claims by JSON pointer',
      `${api}, bound_claims`,
      ({ claims }) => pointed(claims, '/submods/cpu0/ear_status') === 'affirming',
      claiming({ submods: {} }),
    ],
    [
      'exp, iat and nbf are all there, so that none of the leeways of 150 s for a missing one applies',
      `${api}, expiration_leeway and not_before_leeway`,
      ({ claims }) => [claims.exp, claims.iat, claims.nbf].every(Number.isInteger),
      claiming({ nbf: undefined }),
    ],
    [
      'discovery names the issuer exactly',
      `${api}, oidc_discovery_url`,
      ({ discovery, claims }) => discovery.issuer === claims.iss,
      discovering({ issuer: 'https://other.example' }),
    ],
    [
      'the key is in the set',
      `${api}, jwks_url`,
      (presented) => keyFor(presented, presented.jwks) !== undefined,
      headed({ kid: 'another' }),
    ],
  ],
})

function pointed(value: unknown, pointer: string): unknown {
  return pointer
    .split('/')
    .slice(1)
    .reduce<unknown>(
      (at, name) => (typeof at === 'object' && at ? (at as Record<string, unknown>)[name] : at),
      value,
    )
}
