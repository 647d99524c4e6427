/** Google Cloud, workload identity federation with an OIDC provider: what its documentation demands. */
import { ISSUER } from './issuing.ts'
import { characters, claiming, demands, discovering, headed, keyFor, utf8Bytes } from './rules.ts'

const provider = 'IAM API, projects.locations.workloadIdentityPools.providers'
const exchange = 'STS API, token exchange: subject_token'
const uploaded = 'IAM docs, Configure workload identity federation: uploaded JWKS'

demands('Google workload identity federation', {
  audience: 'sts.amazonaws.com',
  rules: [
    [
      'the issuer is https and serves discovery under its own name',
      `${provider}, oidc.issuerUri`,
      ({ discovery, claims }) =>
        String(claims.iss).startsWith('https://') && discovery.issuer === claims.iss,
      claiming({ iss: ISSUER.replace('https', 'http') }),
    ],
    [
      'the signature is RS256 or ES256',
      exchange,
      ({ header }) => header.alg === 'RS256' || header.alg === 'ES256',
      headed({ alg: 'PS256' }),
    ],
    [
      'the header names the key',
      exchange,
      (presented) => keyFor(presented, presented.jwks) !== undefined,
      headed({ kid: undefined }),
    ],
    [
      'iat is not in the future, and exp is less than 24 h after it',
      exchange,
      ({ claims: { iat = Number.NaN, exp = Number.NaN } }) =>
        Number.isInteger(iat) && exp > iat && exp - iat < 86_400,
      ({ claims }) => ({ claims: { ...claims, exp: Number(claims.iat) + 86_400 } }),
    ],
    [
      'the audience is one of at most ten of at most 256 characters',
      `${provider}, oidc.allowedAudiences`,
      ({ claims }) => characters(claims.aud) <= 256,
      claiming({ aud: 'a'.repeat(257) }),
    ],
    [
      'google.subject, mapped from sub, has at most 127 bytes',
      `${provider}, attributeMapping`,
      ({ claims }) => utf8Bytes(claims.sub) <= 127,
      claiming({ sub: `spiffe://a/${'b'.repeat(117)}` }),
    ],
    [
      'attributes mapped from flat claims are text, and 8 KiB together',
      `${provider}, attributeMapping`,
      ({ claims }) => {
        const mapped = ['att_environment', 'att_agent', 'att_status', 'att_hw', 'att_measurement']
        const values = mapped.map((name) => claims[name])
        return values.every((value) => typeof value === 'string') && values.join('').length <= 8192
      },
      claiming({ att_hw: 7 }),
    ],
    [
      'keys of an uploaded set say what they are for',
      uploaded,
      // Whoever uploads the set leaves out the keys of envelopes, which no cloud has a use for (docs/tokens.md).
      ({ jwks }) =>
        jwks.keys
          .filter(({ use }) => use !== 'vouchsafe-release')
          .every(({ use, alg, kid }) => use === 'sig' && alg && kid),
      ({ jwks }) => ({ jwks: { keys: [...jwks.keys, { kty: 'RSA', kid: 'x', alg: 'RS256' }] } }),
    ],
    [
      'discovery lists jwks_uri under https',
      `${provider}, oidc.issuerUri`,
      ({ discovery }) => String(discovery.jwks_uri).startsWith('https://'),
      discovering({ jwks_uri: 'http://attest.example.com/keys' }),
    ],
  ],
})
