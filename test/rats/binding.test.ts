/** Which claims the evidence is bound to: another one anywhere, and both checks say which side was seen. */
import { expect, test } from 'vitest'
import { type Bound, bindingChecks } from '#src/rats/binding.ts'
import { checklist, type Finding, judgeAll } from '#src/rats/check.ts'
import { type RuntimeClaims, reportDataOf } from '#src/rats/runtime-claims.ts'

const claims: RuntimeClaims = {
  nonce: 'n',
  verifier: 'https://a.example',
  sig_jkt: 's',
  enc_jkt: 'e',
  tenant: 't',
  agent: 'a',
  environment: 'p',
  session: '',
  seq: '0',
  transcript: '',
}
const bound: Bound = { claims, reportData: reportDataOf(claims), issuer: 'https://a.example' }

function outcomes(change: Partial<Bound>): readonly string[] {
  const findings: Finding[] = []
  const waivers = new Map(bindingChecks.map(({ id }) => [id, 'waived by somebody']))
  judgeAll(checklist(bindingChecks), { ...bound, ...change }, waivers, findings)
  return findings.map(({ outcome }) => outcome)
}

test('evidence over exactly these claims for exactly this issuer passes', () =>
  expect(outcomes({})).toEqual(['pass', 'pass']))

// Waivers are offered throughout: none of these can be waived.
test.each<[string, Partial<Bound>, readonly string[]]>([
  ['other claims', { claims: { ...claims, agent: 'b' } }, ['fail', 'pass']],
  ['report data of zeros', { reportData: new Uint8Array(64) }, ['fail', 'pass']],
  ['a prefix of it', { reportData: reportDataOf(claims).subarray(0, 63) }, ['fail', 'pass']],
  ['it padded', { reportData: new Uint8Array([...reportDataOf(claims), 0]) }, ['fail', 'pass']],
  ['evidence that carries none', { reportData: undefined }, ['fail', 'pass']],
  ['another issuer', { issuer: 'https://b.example' }, ['pass', 'fail']],
  ['an issuer with a slash more', { issuer: 'https://a.example/' }, ['pass', 'fail']],
  ['no issuer for such hardware', { issuer: null }, ['pass', 'fail']],
])('%s', (_, change, expected) => expect(outcomes(change)).toEqual(expected))
