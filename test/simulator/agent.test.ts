/** Does a simulated agent attest to what it runs, so that a tampered one is validly signed and still not the approved one? */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  measureAgent,
  readAgent,
  simulatedSnp,
  simulatedTdx,
  snpKeyLabels,
} from '../../enclave/simulator/agent.ts'
import { freshChance } from '../../enclave/simulator/mint/fresh.ts'
import { anchorSet } from '../../src/pki/anchor.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { verify } from '../../src/rats/appraisal.ts'
import { firstFailure } from '../../src/rats/check.ts'
import { endorsements } from '../../src/rats/endorsements.ts'
import type { Evidence } from '../../src/rats/evidence.ts'
import { proofCache } from '../../src/rats/proof-cache.ts'
import { tdx } from '../../src/tee/dcap/tdx.ts'
import { sevSnp } from '../../src/tee/sev-snp/sev-snp.ts'

const bytes = (text: string) => new Uint8Array(Buffer.from(text))
const files = [
  { path: 'main.py', contents: bytes('print("hello")') },
  { path: 'lib/tools.py', contents: bytes('') },
]

describe('the measurement of an agent', () => {
  const approved = measureAgent(files)

  test('has 48 bytes and does not depend on the order of files', () => {
    expect(approved).toHaveLength(48)
    expect(measureAgent(files.toReversed())).toEqual(approved)
  })

  test.each([
    ['a file changes', files.map((each) => ({ ...each, contents: bytes('x') }))],
    ['a file is added', [...files, { path: 'x', contents: bytes('') }]],
    ['a file is missing', files.slice(1)],
    ['a file is renamed', files.map(({ contents }, at) => ({ path: `${at}`, contents }))],
    [
      'a name swallows a line',
      [{ path: 'lib/tools.py","', contents: bytes('') }, ...files.slice(0, 1)],
    ],
  ])('changes when %s', (_, changed) => expect(measureAgent(changed)).not.toEqual(approved))
})

describe('an agent on disk', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'agent-'))
    mkdirSync(join(folder, 'lib'))
    for (const { path, contents } of files) writeFileSync(join(folder, path), contents)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('is read with relative paths', () => {
    expect(measureAgent(readAgent(folder))).toEqual(measureAgent(files))
    expect(measureAgent(readAgent(`${folder}/`))).toEqual(measureAgent(files))
  })

  test('may hold no links, whose target could change unmeasured', () => {
    const link = join(folder, 'link')
    symlinkSync('/etc/hostname', link)
    expect(() => readAgent(folder)).toThrow('not a regular file')
    rmSync(link)
  })
})

describe('a simulated SNP platform with fresh keys', () => {
  const at = new Date('2026-06-01T00:00:00Z')
  const measurement = measureAgent(files)
  const reportData = new Uint8Array(64).fill(7)
  let platform: ReturnType<typeof simulatedSnp>
  beforeAll(async () => {
    platform = simulatedSnp(
      { chance: await freshChance(snpKeyLabels('Genoa')), issued: at },
      'Genoa',
    )
  })

  function judged(evidence: Evidence) {
    const anchors = platform.anchors.map(({ der, product }) => ({
      certificate: decodeCertificate(der),
      product,
      assurance: 'simulated' as const,
    }))
    return verify(
      sevSnp,
      evidence,
      {
        at,
        anchors: anchorSet(anchors),
        endorsements: endorsements(platform.endorsements),
        waivers: new Map(),
        proofs: proofCache(4),
      },
      { measurement, reportData },
    )
  }

  test('attests to an agent that passes every check, and is contraindicated all the same', () => {
    const { findings, status, assurance } = judged(platform.attest({ reportData, measurement }))
    expect(firstFailure(findings)).toBeUndefined()
    expect(assurance).toBe('simulated')
    expect(status).toBe('contraindicated')
  })

  test('attests to a tampered agent with a valid signature, and only its measurement is refused', () => {
    const tampered = measureAgent([...files.slice(1), { path: 'main.py', contents: bytes('evil') }])
    const { findings } = judged(platform.attest({ reportData, measurement: tampered }))
    const failed = findings.filter(({ outcome }) => outcome === 'fail').map(({ id }) => id)
    expect(failed).toEqual(['snp.measurement.expected'])
  })

  test('attests to any other field', () => {
    const { findings } = judged(platform.attest({ reportData, measurement, fields: { vmpl: 2 } }))
    expect(firstFailure(findings)?.id).toBe('snp.vmpl.expected')
  })
})

describe('a simulated TDX platform', () => {
  const at = new Date('2026-06-01T00:00:00Z')
  const measurement = measureAgent(files)
  const reportData = new Uint8Array(64).fill(7)

  test('attests to an agent with fresh keys, and to a tampered one with a valid signature', async () => {
    const platform = simulatedTdx({ chance: await freshChance(), issued: at })
    const anchors = platform.anchors.map(({ der, product }) => ({
      certificate: decodeCertificate(der),
      product,
      assurance: 'simulated' as const,
    }))
    const failures = (evidence: Evidence) =>
      verify(
        tdx,
        evidence,
        {
          at,
          anchors: anchorSet(anchors),
          endorsements: endorsements(platform.endorsements),
          waivers: new Map(),
          proofs: proofCache(16),
        },
        { mrTd: measurement, reportData },
      )
        .findings.filter(({ outcome }) => outcome === 'fail')
        .map(({ id }) => id)
    expect(failures(platform.attest({ reportData, measurement }))).toEqual([])
    const tampered = measureAgent(files.slice(1))
    expect(failures(platform.attest({ reportData, measurement: tampered }))).toEqual([
      'tdx.mr-td.expected',
    ])
  })
})
