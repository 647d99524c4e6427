/** The kernels that a TSM report is taken from in tests: one behind a real file system, and the same in memory. */
import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TsmInterface } from '../../enclave/attester/configfs-tsm.ts'
import { errors, type Scenario, TsmKernel } from './tsm-kernel.ts'

export interface PlayedKernel {
  readonly tsm: TsmInterface
  readonly seen: () => Promise<Seen>
}

interface Seen {
  /** Those that are left. */
  readonly folders: readonly string[]
  /** How many were ever made. */
  readonly made: number
}

/** Plays one scenario after the other. */
export interface Kernels {
  readonly play: (scenario: Scenario) => Promise<PlayedKernel>
  readonly close: () => Promise<void>
}

/** Undefined where file systems can be mounted; else why not. */
export const noFuse: string | undefined = !existsSync('/dev/fuse')
  ? 'there is no /dev/fuse'
  : mayMount()
    ? undefined
    : 'this process may not mount'

/** CAP_SYS_ADMIN: root in a container often lacks it. */
function mayMount(): boolean {
  const [, effective = '0'] =
    /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return (BigInt(`0x${effective}`) & (1n << 21n)) !== 0n
}

export async function mountedKernels(): Promise<Kernels> {
  const root = mkdtempSync(join(tmpdir(), 'vouchsafe-tsm-'))
  const child = fork(new URL('./fuse-process.ts', import.meta.url), [root])
  await heard(child)
  const ask = async (message: { readonly play?: Scenario }) => {
    child.send(message)
    return (await heard(child)) as Seen
  }
  return {
    async play(scenario) {
      await ask({ play: scenario })
      return { tsm: { root, fileSystem: 'any' }, seen: async () => await ask({}) }
    },
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      spawnSync('umount', ['-l', root])
      child.kill()
      await ended
      rmdirSync(root)
    },
  }
}

async function heard(child: ChildProcess): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    const ended = () => reject(new Error('the process that plays the kernel ended'))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.off('exit', ended)
      resolve(message)
    })
  })
}

export async function kernelsInMemory(): Promise<Kernels> {
  return { play: kernelInMemory, close: async () => {} }
}

export async function kernelInMemory(scenario: Scenario): Promise<PlayedKernel> {
  const kernel = new TsmKernel(scenario)
  const place = (path: string) => [basename(dirname(path)), basename(path)] as const
  const raise = (error: number) => {
    if (error === 0) return
    const code = Object.entries(errors).find(([, number]) => number === error)?.[0]
    throw Object.assign(new Error(`${code}: as the kernel says it`), { code })
  }
  return {
    tsm: {
      root: '/sys/kernel/config/tsm/report',
      files: {
        fileSystem: async () => 0x62656570,
        makeDirectory: async (path) => raise(kernel.make(basename(path))),
        removeDirectory: async (path) => raise(kernel.remove(basename(path))),
        async read(path, most) {
          const [folder, attribute] = place(path)
          if (!kernel.has(folder, attribute)) raise(errors.ENOENT)
          if (attribute === 'outblob') await sleep(kernel.delayMs)
          const reply = kernel.read(folder, attribute)
          if ('error' in reply) return raise(reply.error) ?? new Uint8Array()
          if (reply.bytes.length > most) throw new RangeError(`it is longer than ${most} bytes`)
          return new Uint8Array(reply.bytes)
        },
        write: async (path, bytes) => kernel.write(...place(path), Buffer.from(bytes)),
      },
    },
    seen: async () => ({ folders: kernel.folders, made: kernel.made }),
  }
}
