/** The processes of a measurement: replicas of the service or the naive one, load generators, and what each used of the CPU. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Fired, Order } from './load-process.ts'

const root = join(import.meta.dirname, '../..')

export interface Served {
  readonly pid: number
  readonly port: number
  readonly stop: () => Promise<void>
}

/** As the image does it (Dockerfile). */
const asDeployed = ['--max-semi-space-size=64', '--heap-growing-percent=200', '--v8-pool-size=1']
const environmentAsDeployed = { UV_THREADPOOL_SIZE: '2' }

/** Starts a program that says `ready` on one of its streams once it answers. */
export async function startServer(
  file: string,
  {
    args,
    env,
    cwd,
    ready,
    port,
  }: {
    readonly args: readonly string[]
    readonly env: Readonly<Record<string, string>>
    readonly cwd: string
    readonly ready: string
    readonly port: number
  },
): Promise<Served> {
  const child = spawn(process.execPath, [...asDeployed, join(root, file), ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, NO_COLOR: '1', ...environmentAsDeployed, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      if (said.length < 65_536) said += chunk
      if (said.includes(ready)) resolve()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('exit', () => reject(new Error(`${file} ended:\n${said}`)))
  })
  return { pid: child.pid ?? 0, port, stop: () => ended(child) }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  await exit
}

export interface Generator {
  readonly prepare: (order: Omit<Extract<Order, { kind: 'prepare' }>, 'kind'>) => Promise<number>
  readonly prepareReleases: (
    order: Omit<Extract<Order, { kind: 'prepare-releases' }>, 'kind'>,
  ) => Promise<number>
  readonly fire: (order: Omit<Extract<Order, { kind: 'fire' }>, 'kind'>) => Promise<Fired>
  readonly stop: () => Promise<void>
}

export function startGenerator(): Generator {
  const child = fork(join(root, 'bench/service/load-process.ts'), { serialization: 'advanced' })
  async function order<T>(given: Order): Promise<T> {
    return await new Promise((resolve, reject) => {
      child.once('message', (answer: { result?: T; error?: string }) => {
        if (answer.error === undefined) resolve(answer.result as T)
        else reject(new Error(answer.error))
      })
      child.send(given)
    })
  }
  return {
    prepare: (request) => order({ kind: 'prepare', ...request }),
    prepareReleases: (request) => order({ kind: 'prepare-releases', ...request }),
    fire: (request) => order({ kind: 'fire', ...request }),
    stop: () => ended(child),
  }
}

/** CPU milliseconds that these processes, and all that descend from them, have used so far. */
export function cpuMsOf(pids: readonly number[]): number {
  const processes = statistics()
  const family = new Set(pids)
  for (let grew = true; grew; ) {
    grew = false
    for (const { pid, parent } of processes)
      if (family.has(parent) && !family.has(pid)) {
        family.add(pid)
        grew = true
      }
  }
  return processes
    .filter(({ pid }) => family.has(pid))
    .reduce((total, { ticks }) => total + ticks * MS_PER_TICK, 0)
}

/** Of the processes that this one started, those whose program has this name. */
export function childrenCalled(name: string): readonly number[] {
  return statistics()
    .filter((each) => each.parent === process.pid && each.name === name)
    .map(({ pid }) => pid)
}

/** Resident bytes of one process. */
export function residentBytes(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return pages * 4096
}

/** sysconf(_SC_CLK_TCK) is 100 on every Linux that Node runs on. */
const MS_PER_TICK = 10

/** proc(5), /proc/[pid]/stat: what follows the name in parentheses; with ended children that were waited for. */
function statistics(): readonly {
  readonly pid: number
  readonly parent: number
  readonly name: string
  readonly ticks: number
}[] {
  return readdirSync('/proc')
    .filter((id) => /^\d+$/.test(id))
    .flatMap((id) => {
      try {
        const text = readFileSync(`/proc/${id}/stat`, 'utf8')
        const end = text.lastIndexOf(')')
        const name = text.slice(text.indexOf('(') + 1, end)
        const fields = text.slice(end + 2).split(' ')
        const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0)
        return [{ pid: Number(id), parent: Number(fields[1]), name, ticks }]
      } catch {
        // It ended while we looked.
        return []
      }
    })
}
