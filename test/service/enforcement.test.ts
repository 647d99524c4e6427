/** Who enforces an old policy, or has fallen silent, is seen; and nobody speaks for another. */
import { describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import {
  enforcementReportSchema,
  enforcementState,
  reportEnforcement,
} from '#src/service/enforcement.ts'
import type { Operator } from '#src/service/operators.ts'
import type { EnforcementPoint, PolicyRecord } from '#src/service/policy-ports.ts'
import type { Tenant } from '#src/service/verifier.ts'

const T0 = Date.UTC(2026, 5, 1)
const at = (seconds: number) => new Date(T0 + seconds * 1000)
const digest = (digit: string) => `sha256:${digit.repeat(64)}`

const accepted: PolicyRecord = {
  tenant: 't',
  sequence: 2,
  commit: 'new',
  digest: digest('2'),
  marks: {},
  provenance: {},
  acceptedAt: at(0),
}
const point = (change: Partial<EnforcementPoint>): EnforcementPoint => ({
  tenant: 't',
  name: 'replica-1',
  kind: 'verifier',
  commit: 'old',
  digest: digest('1'),
  reportedAt: at(0),
  ...change,
})

describe('lagging', () => {
  const current = { digest: digest('2'), commit: 'new' }
  test.each<[string, EnforcementPoint, number, string | undefined]>([
    ['with the accepted policy', point({ ...current, reportedAt: at(20) }), 40, undefined],
    ['with the old one, just after', point({ reportedAt: at(25) }), 30, undefined],
    [
      'with the old one, 31 s after',
      point({ reportedAt: at(25) }),
      31,
      'enforces commit old, and new was accepted 31 s ago',
    ],
    ['silent for 90 s', point({ ...current, reportedAt: at(0) }), 90, undefined],
    ['silent for 91 s', point({ ...current, reportedAt: at(0) }), 91, 'silent for 91 s'],
  ])('%s', (_, seen, seconds, reason) =>
    expect(enforcementState(seen, accepted, at(seconds))).toEqual({
      ...seen,
      lagging: reason !== undefined,
      reason,
    }),
  )

  test('nobody lags behind nothing', () =>
    expect(enforcementState(point({}), undefined, at(60)).lagging).toBe(false))
})

describe('a report', () => {
  const operator = (name: string): Operator => ({
    name,
    roles: ['enforcer'],
  })
  const verifier = () => ({
    store: memoryStore(),
    // Of a tenant, only that it exists.
    tenants: new Map([['t', { name: 't' } as Tenant]]),
  })
  const report = { tenant: 't', kind: 'gateway', instance: '', commit: 'c', digest: 'd' } as const

  test('stands under the name of the operator, whatever instance it claims', async () => {
    const v = verifier()
    const by = { operator: operator('edge'), at: at(0) }
    await reportEnforcement(v, report, by)
    await reportEnforcement(v, { ...report, instance: 'b' }, by)
    await reportEnforcement(v, report, { ...by, at: at(5) })
    expect(await v.store.enforcementPoints('t')).toMatchObject([
      { name: 'edge', kind: 'gateway', reportedAt: at(5) },
      { name: 'edge/b', kind: 'gateway', reportedAt: at(0) },
    ])
  })

  test('of an unknown tenant is refused', async () =>
    await expect(
      reportEnforcement(
        verifier(),
        { ...report, tenant: 'x' },
        {
          operator: operator('edge'),
          at: at(0),
        },
      ),
    ).rejects.toThrow('there is no such tenant'))

  test('of ever new instances is refused in the end, and others are not', async () => {
    const v = verifier()
    const by = { operator: operator('edge'), at: at(0) }
    for (let n = 0; n < 256; n++) await reportEnforcement(v, { ...report, instance: `${n}` }, by)
    await expect(reportEnforcement(v, { ...report, instance: 'more' }, by)).rejects.toThrow(
      'too-many-requests',
    )
    await reportEnforcement(v, { ...report, instance: '7' }, by)
    await reportEnforcement(v, report, { operator: operator('edge-2'), at: at(0) })
  })

  test.each([
    ['a verifier', { kind: 'verifier' }],
    ['an instance with a slash', { instance: 'a/b' }],
    ['an abbreviated commit', { commit: 'abc' }],
    ['another digest', { digest: 'sha1:00' }],
    ['more fields', { name: 'replica-1' }],
  ])('of %s is not of the form', (_, change) => {
    const good = { kind: 'sensor', commit: 'a'.repeat(40), digest: digest('a') }
    expect(enforcementReportSchema.safeParse(good).success).toBe(true)
    expect(enforcementReportSchema.safeParse({ ...good, ...change }).success).toBe(false)
  })
})
