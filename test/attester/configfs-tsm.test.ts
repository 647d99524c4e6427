/** Is a report taken from the kernel as its ABI says, whatever else happens to it, and is its folder gone afterwards? */

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  hasTsm,
  TsmFault,
  type TsmRequest,
  tsmReport,
} from '../../enclave/attester/configfs-tsm.ts'
import { tsmFiles } from '../../enclave/attester/tsm-files.ts'
import type { Scenario } from './tsm-kernel.ts'
import { type Kernels, kernelsInMemory, mountedKernels, noFuse } from './tsm-kernels.ts'

const inblob = new Uint8Array(randomBytes(64))

interface Row {
  readonly name: string
  readonly scenario?: Scenario
  readonly request?: Partial<TsmRequest>
  /** How many folders it takes; default 1. */
  readonly made?: number
}

const good: readonly (Row & { readonly report?: Readonly<Record<string, unknown>> })[] = [
  { name: 'an SNP report with the host’s certificate table' },
  {
    name: 'a TDX quote, which has no auxblob',
    scenario: { provider: 'tdx_guest', auxblob: 'missing' },
    report: { provider: 'tdx_guest', auxblob: undefined },
  },
  {
    name: 'an empty auxblob, which is none',
    scenario: { auxblob: 'empty' },
    report: { auxblob: undefined },
  },
  {
    name: 'a report at the privilege level that was asked for',
    scenario: { floor: 1 },
    request: { privlevel: 1 },
    report: { outblob: Buffer.concat([Buffer.from('report at 1: '), inblob]) },
  },
  { name: 'a kernel that takes its time', scenario: { delayMs: 300 } },
  { name: 'EBUSY a few times', scenario: { failing: { code: 'EBUSY', times: 4 } }, made: 5 },
  { name: 'EINTR', scenario: { failing: { code: 'EINTR', times: 1 } }, made: 2 },
  { name: 'EAGAIN', scenario: { failing: { code: 'EAGAIN', times: 1 } }, made: 2 },
  { name: 'another writer who gives up', scenario: { intruding: 2 }, made: 3 },
  {
    name: 'a write that the kernel did not take, once',
    scenario: { deaf: 1 },
    request: { privlevel: 0 },
    made: 2,
  },
  { name: 'a folder that cannot be removed at once', scenario: { sticking: 3 } },
]

const bad: readonly (Row & { readonly fault: string; readonly says: RegExp })[] = [
  {
    name: 'a kernel that stays busy',
    scenario: { failing: { code: 'EBUSY', times: 99 } },
    made: 5,
    fault: 'busy',
    says: /EBUSY/,
  },
  {
    name: 'another writer who does not give up',
    scenario: { intruding: 99 },
    made: 5,
    fault: 'busy',
    says: /generation 2 after 1 from 0/,
  },
  {
    name: 'a write that the kernel never takes',
    scenario: { deaf: 99 },
    request: { privlevel: 0 },
    made: 5,
    fault: 'busy',
    says: /generation 1 after 2 from 0/,
  },
  {
    name: 'an error that no patience helps against',
    scenario: { failing: { code: 'EIO', times: 1 } },
    fault: 'wrong',
    says: /EIO/,
  },
  {
    name: 'a driver whose reports nobody could verify',
    scenario: { provider: 'arm_cca_guest' },
    fault: 'wrong',
    says: /"arm_cca_guest".*sev_guest, tdx_guest/,
  },
  {
    name: 'a driver with a name longer than any',
    scenario: { provider: 'sev_guest'.repeat(20) },
    fault: 'wrong',
    says: /longer than 64 bytes/,
  },
  {
    name: 'no driver at all',
    scenario: { noDriver: true },
    made: 0,
    fault: 'absent',
    says: /ENXIO/,
  },
  { name: 'an empty report', scenario: { emptyOutblob: true }, fault: 'wrong', says: /empty/ },
  {
    name: 'a report larger than any',
    scenario: { largeOutblob: true },
    fault: 'wrong',
    says: /longer than 65536 bytes/,
  },
  {
    name: 'a generation that is no number',
    scenario: { generation: '1 ' },
    fault: 'wrong',
    says: /generation is "1 "/,
  },
  {
    name: 'a privilege level below the guest’s own',
    scenario: { floor: 2 },
    request: { privlevel: 1 },
    fault: 'wrong',
    says: /level 1 is below this guest’s own, 2/,
  },
]

const kernels = [
  { where: 'in memory', open: kernelsInMemory, missing: undefined },
  { where: 'behind a mounted file system', open: mountedKernels, missing: noFuse },
]

describe.each(kernels)('a kernel $where', ({ where, open, missing }) => {
  const title = missing ? `${where} (skipped: ${missing})` : where
  describe.skipIf(missing)(title, () => {
    let opened: Kernels
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened.close())
    const play = async (scenario: Scenario) => await opened.play(scenario)

    it.each(good)('takes $name', async ({ scenario = {}, request, made = 1, report }) => {
      const { tsm, seen } = await play(scenario)
      expect(await tsmReport({ inblob, ...request }, tsm)).toEqual({
        provider: 'sev_guest',
        outblob: new Uint8Array(Buffer.concat([Buffer.from('report at 0: '), inblob])),
        auxblob: new Uint8Array(Buffer.from('certificate table')),
        ...report,
        ...(report?.outblob instanceof Buffer && { outblob: new Uint8Array(report.outblob) }),
      })
      expect(await seen()).toEqual({ folders: [], made })
    })

    it.each(bad)('refuses $name', async ({ scenario = {}, request, made = 1, fault, says }) => {
      const { tsm, seen } = await play(scenario)
      const thrown = await tsmReport({ inblob, ...request }, tsm).catch((error: unknown) => error)
      expect(thrown).toBeInstanceOf(TsmFault)
      expect(thrown).toMatchObject({ kind: fault, message: expect.stringMatching(says) })
      expect(await seen()).toEqual({ folders: [], made })
    })

    it('says so when its folder stays, since each would be kernel memory for ever', async () => {
      const { tsm, seen } = await play({ sticking: 99 })
      await expect(tsmReport({ inblob }, tsm)).rejects.toThrow(/cannot be removed: EBUSY/)
      expect((await seen()).made).toBe(1)
    })

    it('keeps reports apart that are taken side by side', async () => {
      const { tsm, seen } = await play({})
      const asked = Array.from({ length: 20 }, () => new Uint8Array(randomBytes(64)))
      const reports = await Promise.all(asked.map((each) => tsmReport({ inblob: each }, tsm)))
      expect(reports.map(({ outblob }) => outblob.slice(-64))).toEqual(asked)
      expect(await seen()).toEqual({ folders: [], made: 20 })
    })

    it('asks for nothing when the data is not exactly 64 bytes', async () => {
      const { tsm, seen } = await play({})
      for (const size of [0, 63, 65])
        await expect(tsmReport({ inblob: new Uint8Array(size) }, tsm)).rejects.toThrow(RangeError)
      expect((await seen()).made).toBe(0)
    })
  })
})

describe('a folder that is not the kernel’s', () => {
  let root: string
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'vouchsafe-tsm-'))
  })
  afterAll(() => rmSync(root, { recursive: true }))

  it('is no TSM interface, however it looks', async () => {
    expect(await hasTsm({ root })).toBe(false)
    expect(await hasTsm({ root: join(root, 'nothing') })).toBe(false)
    await expect(tsmReport({ inblob }, { root })).rejects.toMatchObject({ kind: 'absent' })
    expect(readdirSync(root)).toEqual([])
  })

  it('has no attribute that is a link, a folder or a pipe', async () => {
    writeFileSync(join(root, 'file'), 'text')
    symlinkSync(join(root, 'file'), join(root, 'link'))
    execFileSync('mkfifo', [join(root, 'pipe')])
    await expect(tsmFiles.read(join(root, 'link'), 64)).rejects.toMatchObject({ code: 'ELOOP' })
    await expect(tsmFiles.write(join(root, 'link'), inblob)).rejects.toMatchObject({
      code: 'ELOOP',
    })
    await expect(tsmFiles.read(root, 64)).rejects.toThrow('it is no plain file')
    await expect(tsmFiles.read(join(root, 'pipe'), 64)).rejects.toThrow('it is no plain file')
    expect(await tsmFiles.read(join(root, 'file'), 4)).toHaveLength(4)
    await expect(tsmFiles.read(join(root, 'file'), 3)).rejects.toThrow(RangeError)
  })

  it('is not written into where the kernel made no attribute', async () => {
    await expect(tsmFiles.write(join(root, 'inblob'), inblob)).rejects.toMatchObject({
      code: 'ENOENT',
    })
  })
})
