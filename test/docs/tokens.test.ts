/** Does docs/tokens.md describe every claim of every form, and none besides? */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { TokenForm } from '#src/rats/release.ts'
import { tees } from '#src/tee/registry.ts'
import { tokenClaims } from '#src/token/claims.ts'
import { agent, planned } from '../token/attested-agent.ts'

const page = readFileSync(new URL('../../docs/tokens.md', import.meta.url), 'utf8')
const letters: Readonly<Record<TokenForm, string>> = {
  possession: 'P',
  federation: 'F',
  workload: 'W',
}
const full = {
  ...agent,
  relyingPartyNonce: 'nonce',
  session: { id: 'A'.repeat(22), measurement: { count: 1, head: '0'.repeat(96) } },
  claims: { ...agent.claims, enc_jkt: 'enc' },
}

const described = [...page.matchAll(/^\| (`[^|]+`) \| ([PFW ]+) \| /gm)].flatMap(
  ([, names = '', forms = '']) =>
    [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => ({ name, forms: forms.split(' ') })),
)

describe.each(Object.entries(letters))('a token of form %s', (form, letter) => {
  test('has exactly the claims that docs/tokens.md says', () => {
    const token = planned(form as TokenForm, { scopes: ['secret:a'] })
    expect(Object.keys(tokenClaims(full, token, '2026')).toSorted()).toEqual(
      described
        .filter(({ forms }) => forms.includes(letter))
        .map(({ name }) => name)
        .toSorted(),
    )
  })
})

test.each(tees)(
  'what dbgstat says of $name is checked, and can never be waived',
  ({ appraise }) => {
    const debug = appraise.filter(({ id }) => id.endsWith('.debug-off'))
    expect(debug.length).toBeGreaterThan(0)
    expect(debug.filter(({ waivable }) => waivable !== undefined)).toEqual([])
  },
)
