import { type ChildProcess, fork } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type MeasurementRegister, runtimeRegister } from '../../enclave/attester/tsm-mr.ts'
import { type BootLogPlace, openBootLog } from '../../enclave/measure/boot-log.ts'
import { simulatedRegister } from '../../enclave/simulator/runtime-register.ts'
import { emptyCheckpoint, extended } from '../../src/rats/transcript.ts'
import { type Kernels, mountedKernels, noFuse } from '../attester/tsm-kernels.ts'

const boot = '0b5e7a3c-boot'
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vouchsafe-boot-log-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

function replayOf(events: readonly string[]): string {
  const empty = emptyCheckpoint({ session: '', boot })
  return extended(empty, { measurement: events, behaviour: [] }).register
}

async function heldBy(register: MeasurementRegister): Promise<string> {
  return Buffer.from(await register.read()).toString('hex')
}

async function reopened(place: Omit<BootLogPlace, 'folder' | 'boot'> = {}) {
  const log = await openBootLog({ folder, boot, ...place })
  await log.close()
  return log.events
}

describe('the measurement log of one boot', () => {
  it('replays to what the register holds, and is there for the next process', async () => {
    const register = simulatedRegister()
    const log = await openBootLog({ folder, boot, register })
    await Promise.all([log.append(['{"a":1}', '{"a":2}']), log.append(['{"a":3}'])])
    await log.close()
    const events = ['{"a":1}', '{"a":2}', '{"a":3}']
    expect(await reopened({ register })).toEqual(events)
    expect(await heldBy(register)).toBe(replayOf(events))
  })

  it('is another one after another start of the machine', async () => {
    const log = await openBootLog({ folder, boot, register: simulatedRegister() })
    await log.append(['{"a":1}'])
    await log.close()
    const next = await openBootLog({ folder, boot: 'another-boot', register: simulatedRegister() })
    expect(next.events).toEqual([])
    await next.close()
  })

  it('takes thousands of events, in order', async () => {
    const events = Array.from({ length: 1000 }, (_, index) => `{"event":${index}}`)
    const register = simulatedRegister()
    const log = await openBootLog({ folder, boot, register })
    await log.append(events)
    await log.close()
    expect(await reopened({ register })).toEqual(events)
    expect(await heldBy(register)).toBe(replayOf(events))
  })

  it('is refused when a line was taken out, changed or added behind its back', async () => {
    const register = simulatedRegister()
    const log = await openBootLog({ folder, boot, register })
    await log.append(['{"a":1}', '{"a":2}'])
    await log.close()
    const file = join(folder, 'measurements')
    const text = readFileSync(file, 'utf8')
    for (const altered of [
      text.replace('{"a":1}\n', ''),
      text.replace('{"a":1}', '{"a":7}'),
      `${text}{"a":3}\n`,
      '',
    ]) {
      writeFileSync(file, altered)
      await expect(reopened({ register })).rejects.toMatchObject({ kind: 'diverged' })
    }
    writeFileSync(file, text)
    expect(await reopened({ register })).toHaveLength(2)
  })

  it('is refused when somebody else extended the register', async () => {
    const register = simulatedRegister()
    const log = await openBootLog({ folder, boot, register })
    await log.append(['{"a":1}'])
    await register.extend(new Uint8Array(48))
    await expect(log.append(['{"a":2}'])).rejects.toMatchObject({ kind: 'diverged' })
    await expect(log.append(['{"a":3}'])).rejects.toMatchObject({ kind: 'diverged' })
    await log.close()
    await expect(reopened({ register })).rejects.toMatchObject({ kind: 'diverged' })
  })

  it('knows after a failed write how far it got, and goes on from there', async () => {
    const inner = simulatedRegister()
    let left = 3
    const failing: MeasurementRegister = {
      ...inner,
      async extend(digest) {
        if (left-- === 0) throw new Error('EIO')
        await inner.extend(digest)
      },
    }
    const log = await openBootLog({ folder, boot, register: failing })
    await log.append(['{"a":1}'])
    await expect(log.append(['{"a":2}', '{"a":3}', '{"a":4}'])).rejects.toMatchObject({
      kind: 'broken',
    })
    await log.close()
    expect(await reopened({ register: inner })).toEqual(['{"a":1}', '{"a":2}', '{"a":3}'])
  })

  it('has one writer, in this process and in others', async () => {
    const log = await openBootLog({ folder, boot })
    await expect(openBootLog({ folder, boot })).rejects.toMatchObject({ name: 'AnotherWriter' })
    await log.close()
    // Of a process that ended: its pid may be in use again, but not since the same tick.
    writeFileSync(join(folder, `writer-${process.pid}-1-${boot}`), '')
    await reopened()
  })

  it('takes no event that has two lines', async () => {
    const log = await openBootLog({ folder, boot })
    await expect(log.append(['{"a":1}\n{"a":2}'])).rejects.toThrow(TypeError)
    await log.close()
  })
})

describe.skipIf(noFuse)(
  `a register behind files, as the kernel has it${noFuse ? ` (skipped: ${noFuse})` : ''}`,
  () => {
    let kernels: Kernels
    let root: string
    let machines = 0
    const children: ChildProcess[] = []

    beforeAll(async () => {
      kernels = await mountedKernels()
      const registers = Array.from({ length: 20 }, (_, index) => `machine-${index}`)
      const played = await kernels.play({ registers })
      root = played.tsm.root ?? ''
    })
    afterEach(() => {
      for (const child of children.splice(0)) child.kill('SIGKILL')
    })
    afterAll(async () => await kernels.close())

    const machine = () => join(root, `machine-${machines++}`)

    async function registerOf(place: string): Promise<MeasurementRegister> {
      const register = await runtimeRegister(place)
      if (!register) throw new Error('there is no register')
      return register
    }

    /** Resolves when it was killed, or wrote everything. */
    async function write(...args: readonly string[]): Promise<ChildProcess> {
      const child = fork(new URL('./boot-log-writer.ts', import.meta.url), [folder, ...args])
      children.push(child)
      await new Promise((resolve) => {
        child.once('exit', resolve)
        child.once('message', resolve)
      })
      return child
    }

    it('is extended by 48 bytes at a time, and by nothing else', async () => {
      const place = machine()
      const register = await registerOf(place)
      expect(await register.read()).toEqual(new Uint8Array(48))
      await expect(register.extend(new Uint8Array(47))).rejects.toThrow(RangeError)
      const digest = new Uint8Array(48).fill(7)
      await register.extend(digest)
      const other = simulatedRegister()
      await other.extend(digest)
      expect(await register.read()).toEqual(await other.read())
    })

    it('is absent where there is none', async () => {
      expect(await runtimeRegister(join(root, 'machine-none'))).toBeUndefined()
    })

    const written = [1, 2, 3, 4, 5].map((number) => `{"event":${number}}`)
    const crashes = [
      ['intended', 2, 2],
      ['extended', 3, 3],
      ['extended', 4, 4],
      ['extended', 5, 5],
      ['appended', 2, 5],
      ['cleared', 2, 5],
    ] as const
    it.each(crashes)(
      'tells the same history as the log after a kill at “%s” %i: %i events',
      async (step, times, count) => {
        const place = machine()
        const child = await write(place, step, `${times}`)
        expect(child.signalCode).toBe('SIGKILL')
        // The kernel had taken a part of the line when the power went.
        if (step === 'extended') appendFileSync(join(folder, 'measurements'), '{"event":3}\n{"ev')
        const register = await registerOf(place)
        expect(await reopened({ register })).toEqual(written.slice(0, count))
        expect(await heldBy(register)).toBe(replayOf(written.slice(0, count)))
        expect(await reopened({ register })).toHaveLength(count)
      },
    )

    it('is not written to by a second process while the first lives', async () => {
      const place = machine()
      const child = await write(place)
      const register = await registerOf(place)
      await expect(reopened({ register })).rejects.toMatchObject({
        name: 'AnotherWriter',
        message: expect.stringContaining(`process ${child.pid}`),
      })
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
      expect(await reopened({ register })).toEqual(written)
    })
  },
)
