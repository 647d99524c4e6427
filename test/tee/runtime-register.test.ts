/** Where does evidence carry what the running guest extended? TDX alone has such a register. */
import { expect, test } from 'vitest'
import { toHex } from '#src/bytes/encoding.ts'
import { authenticate } from '#src/rats/authentication.ts'
import { tees } from '#src/tee/registry.ts'
import { conditionsOf, fixtures } from '../vectors/fixture.ts'

const authentic = fixtures.flatMap((fixture) => {
  const { tee, vector } = fixture
  const { authentic: one } = authenticate(tee, vector.evidence, conditionsOf(fixture).conditions)
  return one ? [{ tee, ...one }] : []
})

test('TDX has RTMR3 and no other TEE has any', () =>
  expect(tees.filter(({ runtimeRegister }) => runtimeRegister).map(({ name }) => name)).toEqual([
    'tdx',
  ]))

test.each([
  ['1.0', 584],
  ['1.5', 648],
])('of a TD report of TDX %s it is what the claims call rtmr3', (_, size) => {
  const own = authentic.filter(
    ({ tee, evidence }) => tee.runtimeRegister && evidence.bodyLayout.size === size,
  )
  expect(own.length).toBeGreaterThan(0)
  for (const { tee, evidence, endorsement } of own) {
    const register = tee.runtimeRegister?.(evidence)
    expect(register).toHaveLength(48)
    expect(toHex(register ?? new Uint8Array())).toBe(tee.claims(evidence, endorsement).rtmr3)
  }
})
