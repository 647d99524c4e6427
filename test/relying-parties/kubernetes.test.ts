/** Kubernetes, structured authentication: what its documentation demands; its own authenticator decides under test/interop. */
import { ISSUER } from './issuing.ts'
import { claiming, demands, discovering, headed, isPlainHttps, keyFor } from './rules.ts'

const docs = 'Kubernetes docs, Authenticating: OpenID Connect tokens'

demands('Kubernetes', {
  audience: 'sts.amazonaws.com',
  rules: [
    [
      'the issuer is https, without query or fragment',
      `${docs}, issuer.url`,
      ({ claims }) => isPlainHttps(claims.iss),
      claiming({ iss: `${ISSUER}?tenant=acme` }),
    ],
    [
      'discovery names the issuer exactly',
      `${docs}, issuer.url`,
      ({ discovery, claims }) => discovery.issuer === claims.iss,
      discovering({ issuer: `${ISSUER}/` }),
    ],
    [
      'jwks_uri is https',
      `${docs}, issuer.discoveryURL`,
      ({ discovery }) => String(discovery.jwks_uri).startsWith('https://'),
      discovering({ jwks_uri: 'http://attest.example.com/keys' }),
    ],
    [
      'the algorithm is one of RS, ES and PS with 256, 384 or 512 bits',
      `${docs}, --oidc-signing-algs`,
      ({ header }) => /^([RPE])S(256|384|512)$/.test(String(header.alg)),
      headed({ alg: 'EdDSA' }),
    ],
    [
      'there is an audience, and it is one of issuer.audiences',
      `${docs}, issuer.audiences`,
      ({ claims }) => [claims.aud].flat().includes('sts.amazonaws.com'),
      claiming({ aud: 'other' }),
    ],
    [
      'the user name comes from a claim that is text and not empty',
      `${docs}, claimMappings.username`,
      ({ claims }) => typeof claims.sub === 'string' && claims.sub !== '',
      claiming({ sub: '' }),
    ],
    [
      'exp is there, in whole seconds',
      `${docs}, claimValidationRules`,
      ({ claims }) => Number.isInteger(claims.exp),
      claiming({ exp: 1.5 }),
    ],
    [
      'a CEL rule can ask how long a token lives: claims.exp - claims.nbf <= 86400',
      `${docs}, claimValidationRules`,
      ({ claims: { exp = Number.NaN, nbf = Number.NaN } }) => exp - nbf <= 86_400,
      claiming({ nbf: undefined }),
    ],
    [
      'no claim is distributed over other services (_claim_names)',
      `${docs}, claims`,
      ({ claims }) => !('_claim_names' in claims),
      claiming({ _claim_names: {} }),
    ],
    [
      'the key is in the set',
      `${docs}, issuer.url`,
      (presented) => keyFor(presented, presented.jwks) !== undefined,
      headed({ kid: 'another' }),
    ],
  ],
})
