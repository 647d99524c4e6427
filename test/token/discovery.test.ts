/** Does discovery name the claims that tokens have? */
import { expect, test } from 'vitest'
import { tokenClaims } from '#src/token/claims.ts'
import { discoveryDocument } from '#src/token/discovery.ts'
import { agent, planned } from './attested-agent.ts'

test('claims_supported are the claims of the tokens that are found by discovery, all of them and no others', () => {
  const complete = {
    ...agent,
    relyingPartyNonce: 'nonce',
    claims: { ...agent.claims, enc_jkt: 'enc' },
  }
  const present = (['possession', 'federation'] as const).flatMap((form) =>
    Object.keys(tokenClaims(complete, planned(form, { scopes: ['secret:a'] }), '2026')),
  )
  const { claims_supported } = discoveryDocument({ url: agent.issuer, forms: ['possession'] })
  expect(claims_supported.toSorted()).toEqual([...new Set(present)].toSorted())
})
