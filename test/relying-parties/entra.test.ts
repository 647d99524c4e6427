/** Microsoft Entra ID, federated identity credentials: what its documentation demands of a token that is exchanged. */
import { ISSUER } from './issuing.ts'
import { characters, claiming, demands, discovering, headed, keyFor } from './rules.ts'

const considerations = 'Entra docs, Workload identity federation considerations'

demands('Entra federated identity credentials', {
  audience: 'api://AzureADTokenExchange',
  rules: [
    [
      'only RS256 is supported',
      `${considerations}: supported signing algorithms`,
      ({ header }) => header.alg === 'RS256',
      headed({ alg: 'ES256' }),
    ],
    [
      'the audience is one text, api://AzureADTokenExchange',
      `${considerations}: audiences`,
      ({ claims }) => claims.aud === 'api://AzureADTokenExchange',
      claiming({ aud: ['api://AzureADTokenExchange', 'other'] }),
    ],
    [
      'the issuer has at most 600 characters and no white space at its ends',
      `${considerations}: issuer`,
      ({ claims: { iss } }) => characters(iss) <= 600 && iss?.trim() === iss,
      claiming({ iss: ` ${ISSUER}` }),
    ],
    [
      'the subject has at most 600 characters and no white space at its ends',
      `${considerations}: subject`,
      ({ claims: { sub } }) => characters(sub) <= 600 && sub?.trim() === sub,
      claiming({ sub: 's'.repeat(601) }),
    ],
    [
      'the subject is the same for every token of the agent: there are no wildcards',
      `${considerations}: subject`,
      ({ claims: { sub } }) =>
        sub === 'spiffe://attest.example.com/t/default/env/prod/agent/invoice-bot',
      ({ claims }) => ({ claims: { ...claims, sub: `${claims.sub}/${claims.jti}` } }),
    ],
    [
      'discovery is under the issuer, and names it exactly',
      `${considerations}: issuer`,
      ({ discovery, claims }) => discovery.issuer === claims.iss,
      discovering({ issuer: `${ISSUER}/` }),
    ],
    [
      'the key is in the set, of kind RSA and for signatures',
      'OpenID Connect Discovery 1.0 section 3, jwks_uri',
      (presented) => {
        const key = keyFor(presented, presented.jwks)
        return key?.kty === 'RSA' && key.use === 'sig'
      },
      headed({ kid: 'another' }),
    ],
  ],
})
