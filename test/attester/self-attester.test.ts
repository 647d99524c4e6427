/** Does the verifier on a TSM machine show itself as it should, and say in its own terms what the kernel says? */
import { describe, expect, it } from 'vitest'
import { hasTsm, TsmFault, tsmReport } from '../../enclave/attester/configfs-tsm.ts'
import { keyCustody, machineAttester, tsmAttester } from '../../src/compose/self-attester.ts'
import { Problem } from '../../src/problems.ts'
import { endorsements } from '../../src/rats/endorsements.ts'
import { broughtOnly } from '../../src/service/brought-endorsements.ts'
import type { CollectEndorsements } from '../../src/service/collect-endorsements.ts'
import { kernelInMemory } from './tsm-kernels.ts'

const reportData = new Uint8Array(64).fill(1)
const crl = new Uint8Array([0x30])
const asked: string[] = []
const collect: CollectEndorsements = async (_, tee) => {
  asked.push(tee.name)
  return { endorsements: endorsements({ crls: [crl] }), missing: [] }
}

describe('a verifier behind configfs-tsm', () => {
  it.each([
    ['sev_guest', 'sev-snp'],
    ['tdx_guest', 'tdx'],
  ])(
    'takes what %s reports as evidence of %s, with what the vendors say of it',
    async (provider, tee) => {
      const { tsm } = await kernelInMemory({ provider })
      const attester = tsmAttester(async (request) => await tsmReport(request, tsm), collect)
      const made = await attester.attest(reportData)
      expect([attester.kind, made.tee, asked.at(-1)]).toEqual(['hardware', tee, tee])
      expect(Buffer.from(made.evidence.quote).includes(Buffer.from(reportData))).toBe(true)
      expect(made.evidence.auxblob).toEqual(new Uint8Array(Buffer.from('certificate table')))
      expect(made.endorsements.crls).toEqual([crl])
    },
  )

  it('takes reports one after the other', async () => {
    const { tsm } = await kernelInMemory({ delayMs: 20 })
    let atWork = 0
    let most = 0
    const attester = tsmAttester(async (request) => {
      most = Math.max(most, ++atWork)
      try {
        return await tsmReport(request, tsm)
      } finally {
        atWork--
      }
    }, broughtOnly)
    await Promise.all(Array.from({ length: 5 }, () => attester.attest(reportData)))
    expect(most).toBe(1)
  })

  it.each([
    ['absent', 'self-attestation-unavailable', undefined],
    ['busy', 'self-attestation-failed', 5],
    ['wrong', 'self-attestation-failed', 5],
  ] as const)('answers a fault of the kind %s with %s', async (kind, code, retryAfterSeconds) => {
    const attester = tsmAttester(async () => {
      throw new TsmFault(kind, 'as the kernel says it')
    }, broughtOnly)
    const thrown = await attester.attest(reportData).catch((error: unknown) => error)
    expect(thrown).toBeInstanceOf(Problem)
    expect(thrown).toMatchObject({ code, detail: 'as the kernel says it', retryAfterSeconds })
  })

  it('is there where the kernel has the interface, and only there', async () => {
    const attester = await machineAttester(broughtOnly)
    expect(attester?.kind).toBe((await hasTsm()) ? 'hardware' : undefined)
  })
})

describe('keyCustody', () => {
  const secret = new Uint8Array(32)
  const command = { kind: 'command', program: '/usr/bin/hsm', handle: 'kek' } as const

  it.each([
    ['a file', { kind: 'secret', from: 'file', secret }, undefined],
    ['a variable', { kind: 'secret', from: 'environment', secret }, undefined],
    ['a device', command, undefined],
    ['a device after a file', command, { kind: 'secret', from: 'file', secret }],
  ] as const)('says of %s that others hold the key too', (_, keyEncryption, previous) => {
    expect(keyCustody({ keyEncryption, previousKeyEncryption: previous })).toBe('sealed-outside')
  })
})
