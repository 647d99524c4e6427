/** Is what was proven once believed again only for the same bytes, roots, collateral and time? */
import { describe, expect, test, vi } from 'vitest'
import { tdQuote } from '../../../enclave/simulator/dcap.ts'
import { usualTd15Body, usualTdBody } from '../../../enclave/simulator/dcap-bodies.ts'
import { intelMachine } from '../../../enclave/simulator/intel-machine.ts'
import { seededChance } from '../../../fixtures/seeded.ts'
import { anchorSet } from '../../../src/pki/anchor.ts'
import { decodeCertificate } from '../../../src/pki/certificate.ts'
import { verify } from '../../../src/rats/appraisal.ts'
import { firstFailure } from '../../../src/rats/check.ts'
import { type EndorsementParts, endorsements } from '../../../src/rats/endorsements.ts'
import { type ProofCache, proofCache } from '../../../src/rats/proof-cache.ts'
import { tdx } from '../../../src/tee/dcap/tdx.ts'
import { AT, machine, simulatedRoot } from './machine.ts'

const platform = machine.quoting('tdx')
const quoteOf = (body = usualTdBody(), version = 4) => tdQuote(platform, { version, body })
const usual = machine.collateral('tdx')

interface Changes {
  readonly quote?: Uint8Array
  readonly parts?: EndorsementParts
  readonly at?: Date
  readonly anchors?: typeof simulatedRoot
}

function appraise(
  proofs: ProofCache,
  { quote = quoteOf(), parts = usual, at = AT, anchors = simulatedRoot }: Changes = {},
) {
  const conditions = { at, anchors, endorsements: endorsements(parts), waivers: new Map(), proofs }
  return verify(tdx, { quote }, conditions)
}
const first = (proofs: ProofCache, changes: Changes = {}) =>
  firstFailure(appraise(proofs, changes).findings)?.id ?? 'pass'

function warmed(): ProofCache {
  const proofs = proofCache(100)
  expect(first(proofs)).toBe('pass')
  return proofs
}

test('a second quote of the same key is answered by what was proven for the first', () => {
  const proofs = warmed()
  const put = vi.spyOn(proofs, 'put')
  expect(first(proofs, { quote: quoteOf(usualTd15Body(), 5) })).toBe('pass')
  expect(put).not.toHaveBeenCalled()
})

test('collateral and chain are reused for another attestation key of the platform', () => {
  const proofs = warmed()
  const put = vi.spyOn(proofs, 'put')
  const attestationKey = seededChance('another').p256('attestation-key')
  const body = usualTdBody()
  expect(
    first(proofs, { quote: tdQuote({ ...platform, attestationKey }, { version: 4, body }) }),
  ).toBe('pass')
  expect(put.mock.calls.map(([kind]) => kind.name).toSorted()).toEqual([
    'dcap.attestation-key',
    'dcap.qe-binding',
  ])
})

describe('what was proven does not hold', () => {
  test('for the same attestation key in other wrapping', () => {
    const proofs = warmed()
    const quote = quoteOf()
    quote[quote.length - 400] = (quote[quote.length - 400] ?? 0) ^ 1
    expect(first(proofs, { quote })).toMatch(/^dcap\.pck-chain\./)
    expect(first(proofs)).toBe('pass')
  })

  test('for a quote that was not signed by that key', () => {
    const quote = quoteOf()
    quote[600] = 1
    expect(first(warmed(), { quote })).toBe('dcap.quote.signature')
  })

  test('outside the dates of collateral', () =>
    expect(first(warmed(), { at: new Date('2026-06-20T00:00:00Z') })).toBe('dcap.crl.root.current'))

  test('under other roots', () => {
    const other = intelMachine({ chance: seededChance('other'), issued: AT }).pki.root.der
    const anchors = anchorSet([
      { certificate: decodeCertificate(other), product: undefined, assurance: 'simulated' },
    ])
    expect(first(warmed(), { anchors })).toMatch(/^dcap\.pck-chain\./)
    expect(first(warmed(), { anchors: anchorSet([]) })).toBe('dcap.pck-chain.anchored')
  })

  test('with other collateral', () => {
    const revoked = machine.pki.pckCrl(machine.pki.platform, {
      revoked: [{ serial: serialOf(platform.pck.der), at: AT }],
    })
    const parts = { ...usual, crls: [machine.pki.rootCrl(), revoked] }
    expect(first(warmed(), { parts })).toBe('dcap.pck.not-revoked')
  })
})

test('nothing that failed is kept', () => {
  const proofs = proofCache(100)
  const quote = quoteOf()
  quote[900] = (quote[900] ?? 0) ^ 1
  expect(first(proofs, { quote, parts: { ...usual, tcbInfos: [], crls: [] } })).not.toBe('pass')
  const kept = vi.spyOn(proofs, 'put')
  expect(first(proofs, { quote })).not.toBe('pass')
  expect(kept.mock.calls.map(([kind]) => kind.name)).not.toContain('dcap.qe-binding')
})

test('freshness of revocation lists is asked every time, and waiving it does not make the rest cold', () => {
  const proofs = proofCache(100)
  const parts = { ...usual, crls: [] }
  expect(first(proofs, { parts })).toBe('dcap.crl.root.current')
  const put = vi.spyOn(proofs, 'put')
  expect(first(proofs, { parts })).toBe('dcap.crl.root.current')
  expect(put).not.toHaveBeenCalled()
})

describe('of several documents for one platform', () => {
  const newer = machine.tcbInfo('tdx', {
    evaluationDataNumber: 20,
    issueDate: new Date('2026-06-05T00:00:00Z'),
    nextUpdate: new Date('2026-07-05T00:00:00Z'),
  })
  const parts = { ...usual, tcbInfos: [...usual.tcbInfos, machine.sign(newer)] }
  const evaluationNumbers = (changes: Changes, ...instants: readonly string[]) => {
    const proofs = proofCache(100)
    return instants.map((at) => {
      const { tcb } = appraise(proofs, { ...changes, at: new Date(at) }).claims
      return Object(tcb).evaluationDataNumber
    })
  }

  test('the newest evaluation that is current decides, whatever was proven before', () => {
    const qe = machine.qeIdentity('tdx', { evaluationDataNumber: 25 })
    const ofBoth = { ...parts, qeIdentities: [machine.sign(qe)] }
    const instants = ['2026-06-04T23:59:59Z', '2026-06-05T00:00:00Z', '2026-06-01T00:00:00Z']
    expect(evaluationNumbers({ parts: ofBoth }, ...instants)).toEqual([19, 20, 19])
    expect(evaluationNumbers({ parts: ofBoth }, ...instants.toReversed())).toEqual([19, 20, 19])
  })

  test('one that is forged is passed over, however high its number', () => {
    const forger = intelMachine({ chance: seededChance('other'), issued: AT })
    const forged = forger.sign(machine.tcbInfo('tdx', { evaluationDataNumber: 99 }))
    const tcbInfos = [forged, ...usual.tcbInfos]
    expect(evaluationNumbers({ parts: { ...usual, tcbInfos } }, AT.toISOString())).toEqual([19])
    expect(first(proofCache(100), { parts: { ...usual, tcbInfos: [forged] } })).toMatch(
      /^dcap\.tcb-info\.issuer-chain\./,
    )
  })

  test('the lower number of TCB info and QE identity is what was evaluated', () =>
    expect(evaluationNumbers({ parts }, '2026-06-10T00:00:00Z')).toEqual([19]))
})

test('simulated machines are never hardware', () => {
  const appraisal = appraise(proofCache(100))
  expect(appraisal).toMatchObject({ assurance: 'simulated', status: 'contraindicated' })
})

test('collateral of one root does not judge platforms of another, though both are trusted', () => {
  const other = intelMachine({
    chance: seededChance('other'),
    issued: new Date('2026-05-20T00:00:00Z'),
  })
  const anchors = anchorSet([
    ...simulatedRoot.anchors,
    {
      certificate: decodeCertificate(other.pki.root.der),
      product: undefined,
      assurance: 'simulated',
    },
  ])
  const tcbInfos = [other.sign(machine.tcbInfo('tdx'))]
  expect(first(proofCache(100), { anchors, parts: { ...usual, tcbInfos } })).toBe(
    'dcap.tcb-info.issuer-chain.same-root',
  )
})

function serialOf(der: Uint8Array): bigint {
  return BigInt(`0x${decodeCertificate(der).serial}`)
}
