/** Which releases of a whole policy accept this evidence: all of them, no others, and by look-up. */
import { describe, expect, test } from 'vitest'
import { toHex } from '#src/bytes/encoding.ts'
import { launchIndex } from '#src/policy/launch-index.ts'
import { matchPolicy } from '#src/policy/match-policy.ts'
import { matchRelease } from '#src/policy/match-release.ts'
import type { SnpReference } from '#src/rats/reference-values.ts'
import type { AgentRelease, ReferenceValue } from '#src/rats/release.ts'
import { sgx } from '#src/tee/dcap/sgx.ts'
import { tdx } from '#src/tee/dcap/tdx.ts'
import { sevSnp } from '#src/tee/sev-snp/sev-snp.ts'
import { enclave, sgxScene, td, tdxScene } from '../../fixtures/cases/dcap-machines.ts'
import { milan, snpScene } from '../../fixtures/cases/snp-machines.ts'
import { authenticated, releaseOf, snpValue } from './authentic-evidence.ts'

const { measurement, hostData } = milan.report
const other = (size: number, octet = 7) => new Uint8Array(size).fill(octet)
const scene = snpScene({})
const authentication = authenticated(sevSnp, scene)

const releases = (...all: readonly (readonly SnpReference[])[]) =>
  all.map((references, index) =>
    releaseOf(
      `bot-${index}`,
      references.map((reference, at) => snpValue(`r${at}`, reference)),
    ),
  )

const accepting = (all: readonly AgentRelease[], by = authentication) =>
  matchPolicy(launchIndex(all), sevSnp, by).map(
    ({ release, referenceValue }) => `${release.agent}/${referenceValue.id}`,
  )

describe('evidence is accepted by', () => {
  test.each<[string, readonly (readonly SnpReference[])[], readonly string[]]>([
    ['nobody, when nobody names it', [[{ measurement: other(48) }]], []],
    ['whoever names its launch', [[{ measurement: other(48) }], [{ measurement }]], ['bot-1/r0']],
    [
      'every reference value that fits, in the order of the policy',
      [[{ measurement }, { measurement, hostData }], [{ measurement, hostData }]],
      ['bot-0/r0', 'bot-0/r1', 'bot-1/r0'],
    ],
    [
      'none that expects another configuration',
      [[{ measurement, hostData: other(32) }], [{ measurement, hostData: new Uint8Array(32) }]],
      [],
    ],
    ['none that differs elsewhere', [[{ measurement, vmpl: 3 }]], []],
  ])('%s', (_, all, expected) => expect(accepting(releases(...all))).toEqual(expected))

  test('a policy without releases: nobody', () => expect(accepting([])).toEqual([]))

  test('nobody, when it is not authentic', () => {
    const quote = scene.evidence.quote.slice()
    quote[0x200] = (quote[0x200] ?? 0) ^ 1
    const forged = authenticated(sevSnp, { ...scene, evidence: { ...scene.evidence, quote } })
    expect(accepting(releases([{ measurement }]), forged)).toEqual([])
  })
})

test('a configuration of zeros is expected of evidence that has none', () => {
  const bare = snpScene({ report: { hostData: new Uint8Array(32) } })
  const all = releases([{ measurement, hostData: new Uint8Array(32) }], [{ measurement, hostData }])
  expect(accepting(all, authenticated(sevSnp, bare))).toEqual(['bot-0/r0'])
})

describe('what was waived when it was authenticated', () => {
  const waivers = new Map([['revocation', 'no list at hand']])
  const lenient = authenticated(sevSnp, snpScene({ crls: [] }), waivers)
  const [strict, byGroup, byCheck, others] = [
    new Map(),
    waivers,
    new Map([['snp.crl.current', 'no list at hand']]),
    new Map([['tcb', 'old']]),
  ].map((own, index) =>
    releaseOf(`bot-${index}`, [snpValue('r', { measurement })], { waivers: own }),
  )

  test('is authentic only because of it', () => {
    expect(lenient.authentic).toBeDefined()
    expect(authenticated(sevSnp, snpScene({ crls: [] })).authentic).toBeUndefined()
  })

  test('counts for the releases that waive it themselves', () => {
    const all = [strict, byGroup, byCheck, others].filter((each) => each !== undefined)
    expect(accepting(all, lenient)).toEqual(['bot-1/r', 'bot-2/r'])
  })
})

test('TDX is found by MRTD and MRCONFIGID', () => {
  const value = (id: string, mrConfigId?: Uint8Array): ReferenceValue => ({
    id,
    line: 1,
    lines: {},
    tee: 'tdx',
    reference: { mrTd: td.mrTd, ...(mrConfigId && { mrConfigId }) },
  })
  const all = [
    releaseOf('a', [value('any'), value('own', td.mrConfigId), value('other', other(48))]),
  ]
  const found = matchPolicy(launchIndex(all), tdx, authenticated(tdx, tdxScene({})))
  expect(found.map(({ referenceValue: { id } }) => id)).toEqual(['any', 'own'])
})

test('SGX is found by MRENCLAVE, and by its signer when the reference value names no enclave', () => {
  const { mrEnclave, mrSigner, isvProdId } = enclave
  const value = (id: string, reference: object): ReferenceValue => ({
    id,
    line: 1,
    lines: {},
    tee: 'sgx',
    reference,
  })
  const all = [
    releaseOf('a', [value('signer', { mrSigner, isvProdId, minimumIsvSvn: 0 })]),
    releaseOf('b', [value('code', { mrEnclave }), value('else', { mrEnclave: other(32) })]),
    releaseOf('c', [value('stranger', { mrSigner: other(32), isvProdId, minimumIsvSvn: 0 })]),
  ]
  const index = launchIndex(all)
  const found = matchPolicy(index, sgx, authenticated(sgx, sgxScene({})))
  expect(found.map(({ referenceValue: { id } }) => id)).toEqual(['signer', 'code'])
  expect(
    index.launching('sgx', toHex(mrEnclave)).map(({ referenceValue }) => referenceValue.id),
  ).toEqual(['signer', 'code', 'stranger'])
})

describe('the index', () => {
  const all = releases(
    ...Array.from({ length: 40 }, (_, n) => [
      n % 3 === 0 ? { measurement } : { measurement, hostData: n % 2 ? hostData : other(32, n) },
    ]),
  )
  const index = launchIndex(all)

  test('finds what a search of every release would find', () =>
    expect(accepting(all)).toEqual(
      all.flatMap((release) => {
        const { accepted, referenceValue } = matchRelease(release, sevSnp, authentication)
        return accepted ? [`${release.agent}/${referenceValue?.id}`] : []
      }),
    ))

  test('gives every reference value of a launch, whatever its configuration', () => {
    expect(index.launching('sev-snp', toHex(measurement))).toHaveLength(40)
    expect(index.launching('sev-snp', '00')).toEqual([])
    expect(index.launching('tdx', toHex(measurement))).toEqual([])
  })
})

test('comparing with 10,000 releases of one image takes as long as with ten', () => {
  const many = (count: number) =>
    launchIndex(
      releases(
        ...Array.from({ length: count }, (_, n) => {
          const own = new Uint8Array(32)
          new DataView(own.buffer).setUint32(0, n + 1)
          return [{ measurement, hostData: n === 5 ? hostData : own }]
        }),
      ),
    )
  const [few, lots] = [many(10), many(10_000)]
  const spent = (index: typeof few): number => {
    const start = performance.now()
    for (let n = 0; n < 200; n++) expect(matchPolicy(index, sevSnp, authentication)).toHaveLength(1)
    return performance.now() - start
  }
  spent(few)
  // A search would take a thousand times as long.
  expect(spent(lots)).toBeLessThan(20 * spent(few) + 20)
})
