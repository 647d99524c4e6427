/** Settings of the guard and of the identity provider: what is refused, and in which words. */
import { expect, test } from 'vitest'
import { readConfig } from '#src/config.ts'

const good = {
  VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
  VOUCHSAFE_POLICY: '/srv/policy',
  VOUCHSAFE_POLICY_PIN: 'c0ffee00'.repeat(5),
  VOUCHSAFE_KEY_ENCRYPTION_KEY: '0123456789abcdef'.repeat(4),
}
const provider = {
  VOUCHSAFE_OPERATORS_ISSUER: 'https://login.example.com',
  VOUCHSAFE_OPERATORS_AUDIENCE: 'vouchsafe',
}
const read = (env: Readonly<Record<string, string>>) =>
  readConfig({
    env: { ...good, ...env },
    readText() {
      throw new Error('ENOENT')
    },
  })

test.each<[Record<string, string>, string]>([
  [{ VOUCHSAFE_RATE_LIMIT_CHALLENGES: '0' }, 'must be 1 to 10000000 or off'],
  [{ VOUCHSAFE_RATE_LIMIT_CHALLENGES: '-1' }, 'must be 1 to 10000000 or off'],
  [{ VOUCHSAFE_RATE_LIMIT_TENANT: 'OFF' }, 'must be 1 to 10000000 or off'],
  [{ VOUCHSAFE_RATE_LIMIT_PUBLIC: '10000001' }, 'must be 1 to 10000000 or off'],
  [{ VOUCHSAFE_MOST_IN_FLIGHT: '0' }, 'must be 1 to 10000'],
  [{ VOUCHSAFE_MOST_WAITING: 'many' }, 'must be 0 to 10000'],
  [{ VOUCHSAFE_MOST_LOOP_DELAY_MS: '4' }, 'must be 5 to 10000'],
  [{ VOUCHSAFE_MOST_CONNECTIONS: '1e6' }, 'must be 1 to 1000000'],
  [{ VOUCHSAFE_TRUSTED_PROXIES: 'proxy.example' }, 'addresses or CIDR ranges'],
  [{ VOUCHSAFE_TRUSTED_PROXIES: '10.0.0.0/33' }, 'addresses or CIDR ranges'],
  [{ VOUCHSAFE_TRUSTED_PROXIES: '10.0.0.1,,10.0.0.2' }, 'addresses or CIDR ranges'],
  [{ VOUCHSAFE_OPERATORS_ISSUER: 'https://login.example.com' }, 'AUDIENCE'],
  [{ VOUCHSAFE_OPERATORS_AUDIENCE: 'vouchsafe' }, 'ISSUER'],
  [{ ...provider, VOUCHSAFE_OPERATORS_ISSUER: 'http://login.example.com' }, 'must be an https'],
  [{ ...provider, VOUCHSAFE_OPERATORS_ROLES: 'sre' }, 'must give values'],
  [{ ...provider, VOUCHSAFE_OPERATORS_ROLES: 'sre=root' }, 'must give values'],
  [{ ...provider, VOUCHSAFE_OPERATORS_ROLES: '=operator' }, 'must give values'],
  [
    { ...provider, VOUCHSAFE_OPERATORS_ISSUER: 'https://attest.example.com' },
    'is this service itself',
  ],
  [
    { ...provider, VOUCHSAFE_OPERATORS_ISSUER: 'https://attest.example.com/simulated' },
    'is this service itself',
  ],
])('%o is refused: %s', (env, says) => {
  const reading = read(env)
  expect('mistakes' in reading && reading.mistakes.join('\n')).toContain(says)
})

test('values of a claim may hold an equals sign, and none is a role unless it is named', () => {
  const reading = read({ ...provider, VOUCHSAFE_OPERATORS_ROLES: 'cn=sre=operator, audit=auditor' })
  expect('config' in reading && reading.config.identityProvider?.roles).toEqual(
    new Map([
      ['cn=sre', 'operator'],
      ['audit', 'auditor'],
    ]),
  )
})
