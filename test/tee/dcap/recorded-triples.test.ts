/** Does every recorded quote get exactly the status that Intel's algorithm gives it? */
import { describe, expect, test } from 'vitest'
import { tdx } from '../../../src/tee/dcap/tdx.ts'
import { advice } from '../../recorded.ts'
import { failures, finding, hasTriples, judge, triple, tripleIds } from './triple.ts'

/** What each of them is refused for under `strict`; t15 has a test of its own. */
const refusals: Readonly<Record<string, readonly string[]>> = {
  t09: ['dcap.tcb.level-found', 'dcap.tcb.status'],
  t10: ['dcap.tcb.status'],
  t12: [],
  t13: ['dcap.tcb.level-found', 'dcap.tcb.status'],
  t14: ['dcap.tcb.level-found', 'dcap.tcb.status'],
  t17: ['dcap.tcb.status'],
  t18: ['dcap.tcb.status', 'tdx.service-td.approved'],
  t19: ['dcap.tcb.status', 'tdx.service-td.approved'],
  t20: ['tdx.service-td.approved'],
  t27: ['dcap.tcb.status'],
  t28: ['dcap.tcb.status'],
  t29: ['dcap.tcb.status'],
  t30: ['dcap.tcb.status', 'tdx.attributes.sept-ve-disable'],
  t31: ['dcap.tcb.status', 'tdx.attributes.sept-ve-disable'],
  t32: ['dcap.tcb.status', 'tdx.attributes.sept-ve-disable'],
  t34: ['tdx.attributes.debug-off'],
  t39: [],
  t40: [],
  t41: [],
  t45: [
    'dcap.tcb.level-found',
    'dcap.tcb.status',
    'tdx.attributes.sept-ve-disable',
    'tdx.attributes.pks',
  ],
}

describe.skipIf(!hasTriples)(`recorded quotes with collateral (${advice})`, () => {
  test('every triple is in the table', () =>
    expect([...Object.keys(refusals), 't15'].toSorted()).toEqual(tripleIds))

  describe.each(Object.entries(refusals))('%s', (id, refused) => {
    const { quote, parts, at, expected } = triple(id)
    const appraisal = judge({ evidence: { quote }, parts, at })

    test('is authentic', () => expect(appraisal.assurance).toBe('hardware'))

    test('has the statuses and advisories that Intel gives it', () => {
      const { tcb } = appraisal.claims
      if (expected.err) expect(tcb).toMatchObject({ status: 'NotSupported' })
      else
        expect(tcb).toMatchObject({
          status: expected.final,
          sgx: expected.sgx,
          platform: expected.tdx ?? expected.platform,
          module: expected.module ?? null,
          qe: expected.qe,
          advisoryIds: expected.advisories,
        })
    })

    test(`is refused for ${refused.join(', ') || 'nothing'}`, () =>
      expect(failures(appraisal)).toEqual(refused))
  })

  test('t15 is refused because its PCK certificate is of tomorrow', () => {
    const { quote, parts, at } = triple('t15')
    const appraisal = judge({ evidence: { quote }, parts, at })
    expect(failures(appraisal)).toEqual(['dcap.pck-chain.validity'])
    expect(finding(appraisal, 'dcap.pck-chain.validity').detail).toContain('not yet valid')
    expect(appraisal.claims).toEqual({})
  })

  test.each([
    ['t30', 'azure', ['dcap.tcb.status']],
    ['t20', 'alibaba', []],
    ['t45', 'gcp', ['dcap.tcb.level-found', 'dcap.tcb.status']],
    ['t34', 'azure', ['tdx.attributes.debug-off']],
  ])('%s under the profile %s is refused for %j only', (id, profile, refused) => {
    const { quote, parts, at } = triple(id)
    const waivers = tdx.profiles[profile] ?? new Map()
    const appraisal = judge({ evidence: { quote }, parts, at, waivers })
    expect(failures(appraisal)).toEqual(refused)
  })

  test('claims carry every field of the body and the platform', () => {
    const { quote, parts, at } = triple('t20')
    expect(judge({ evidence: { quote }, parts, at }).claims).toMatchObject({
      version: 5,
      teeType: 0x81,
      bodyType: 3,
      teeTcbSvn2: '05010200000000000000000000000000',
      tdAttributes: '0000001000000000',
      mrSignerSeam: '0'.repeat(96),
      fmspc: '90c06f000000',
      pceId: '0000',
      sgxType: expect.any(String),
      tcb: { date: '2024-03-13T00:00:00Z', evaluationDataNumber: 17, moduleId: 'TDX_01' },
    })
  })
})
