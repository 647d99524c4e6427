/** SPIFFE WIT-SVID: each MUST and SHOULD of the standard that speaks about the token and its keys. */
import { claiming, demands, headed, keyFor } from './rules.ts'

const svid = 'SPIFFE WIT-SVID'
const algorithm = /^([RPE])S(256|384|512)$/

demands('WIT-SVID', {
  audience: 'wit',
  rules: [
    [
      'kid is there',
      `${svid}, section 2.1`,
      ({ header }) => typeof header.kid === 'string',
      headed({ kid: undefined }),
    ],
    [
      'typ is wit+jwt',
      `${svid}, section 2.2`,
      ({ header }) => header.typ === 'wit+jwt',
      headed({ typ: 'JWT' }),
    ],
    [
      'alg is one of RS, ES, PS with 256, 384 or 512 bits',
      `${svid}, section 2.3`,
      ({ header }) => algorithm.test(String(header.alg)),
      headed({ alg: 'EdDSA' }),
    ],
    [
      'no other header is there',
      `${svid}, section 2, additional header parameters`,
      ({ header }) => Object.keys(header).every((name) => /^(alg|kid|typ)$/.test(name)),
      headed({ x5c: [] }),
    ],
    [
      'sub is a SPIFFE ID',
      `${svid}, section 3.1`,
      ({ claims }) => /^spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._-]+)+$/.test(String(claims.sub)),
      claiming({ sub: 'simulated:spiffe://attest.example.com/t/default' }),
    ],
    [
      'cnf has the public key of the workload, with its alg, and nothing private',
      `${svid}, section 3.2`,
      ({ claims }) => {
        const { jwk } = claims.cnf as { readonly jwk?: Readonly<Record<string, unknown>> }
        return jwk !== undefined && algorithm.test(String(jwk.alg)) && !('d' in jwk)
      },
      claiming({ cnf: { jkt: 'thumbprint' } }),
    ],
    [
      'exp is there',
      `${svid}, section 3, Expiry`,
      ({ claims }) => Number.isInteger(claims.exp),
      claiming({ exp: undefined }),
    ],
    [
      'jti, nbf and iat should be there',
      `${svid}, section 4`,
      ({ claims }) =>
        typeof claims.jti === 'string' && [claims.nbf, claims.iat].every(Number.isInteger),
      claiming({ nbf: undefined }),
    ],
    [
      'iss is nothing that OpenID Connect discovery could follow',
      `${svid}, section 3.7`,
      ({ claims }) => !String(claims.iss ?? '').startsWith('https://'),
      claiming({ iss: 'https://attest.example.com' }),
    ],
    [
      'aud is not there: it is for nobody in particular, and no bearer token',
      'WIMSE Workload Credentials, Workload Identity Token',
      ({ claims }) => !('aud' in claims),
      claiming({ aud: 'wit' }),
    ],
    [
      'its key stands in the bundle with use wit-svid',
      `${svid}, section 6.1`,
      (presented) => keyFor(presented, presented.bundle)?.use === 'wit-svid',
      headed({ kid: 'another' }),
    ],
    [
      'no other entry has the same kid',
      `${svid}, section 6.1`,
      ({ header, bundle: { keys } }) => keys.filter(({ kid }) => kid === header.kid).length === 1,
      ({ header, bundle: { keys } }) => ({ bundle: { keys: [...keys, { kid: header.kid }] } }),
    ],
    [
      'whoever expects an OpenID token finds no key for it',
      `${svid}, section 7.1`,
      (presented) => keyFor(presented, presented.jwks) === undefined,
      ({ bundle }) => ({ jwks: bundle }),
    ],
  ],
})
