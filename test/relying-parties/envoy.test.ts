/** Envoy, jwt_authn: what its documentation demands. It knows no discovery: an operator gives it the key set's address. */
import { claiming, demands, headed, keyFor } from './rules.ts'

const docs = 'Envoy docs, HTTP filters: JWT authentication'

demands('Envoy', {
  audience: 'sts.amazonaws.com',
  rules: [
    [
      'the algorithm is one of RS, ES, PS with 256, 384 or 512 bits, or EdDSA',
      `${docs}, supported JWT alg`,
      ({ header }) => /^([RPE]S(256|384|512)|EdDSA)$/.test(String(header.alg)),
      headed({ alg: 'ES256K' }),
    ],
    [
      'iss is what the provider is configured with',
      `${docs}, JwtProvider.issuer`,
      ({ claims }) => claims.iss === 'https://attest.example.com',
      claiming({ iss: 'https://attest.example.com/' }),
    ],
    [
      'there is an audience: an unset list of audiences would check none',
      `${docs}, JwtProvider.audiences`,
      ({ claims }) => typeof claims.aud === 'string' && claims.aud !== '',
      claiming({ aud: undefined }),
    ],
    [
      'exp and nbf are there: a token without exp would never end',
      `${docs}, time restrictions`,
      ({ claims }) => Number.isInteger(claims.exp) && Number.isInteger(claims.nbf),
      claiming({ exp: undefined }),
    ],
    [
      'the key of the header is in the set that remote_jwks fetches, with the same algorithm',
      `${docs}, JwtProvider.remote_jwks`,
      (presented) => keyFor(presented, presented.jwks)?.alg === presented.header.alg,
      headed({ alg: 'RS384' }),
    ],
    [
      'the whole token has room in 60 KiB of headers',
      'Envoy API, HttpConnectionManager.max_request_headers_kb',
      ({ token }) => token.length <= 60 * 1024,
      ({ token }) => ({ token: token.padEnd(60 * 1024 + 1, 'A') }),
    ],
  ],
})
