/**
 * One replica of the service, as far as a tenant's policy goes, in a process of its own: so that nothing is compiled,
 * remembered or running when it begins. Looks when its parent says so, and answers with what that look cost.
 */
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { openPgliteStore } from '../src/adapters/pglite-store.ts'
import { openRuleEngine } from '../src/adapters/rule-engine.ts'
import { systemClock, systemRandom } from '../src/adapters/system.ts'
import { type RepositoryConfig, tenantPolicy } from '../src/compose/tenant-policy.ts'

export interface ReplicaRequest {
  readonly remote: string
  readonly pin: RepositoryConfig['pin']
  /** Database, which outlives the process. */
  readonly data: string
  /** Clone, which does too. */
  readonly clone: string
}

export interface LookCost {
  /** Until a new policy was in force; until the end where there was none. */
  readonly wallMs: number
  /** Until everything was done: with a look at the remote after a start, and with what is kept for the next. */
  readonly wholeMs: number
  /** Of this process with all its threads, for the whole look. */
  readonly cpuMs: number
  /** Of the processes that it started (git, rules), with all of theirs. Undefined where the system does not say. */
  readonly othersCpuMs: number | undefined
  /** Processes that were started. */
  readonly started: number
  readonly commit: string | undefined
  /** What holds afterwards: `Synced`, unless the bench is wrong. */
  readonly conditions: readonly string[]
}

const request = JSON.parse(process.argv[2] ?? '{}') as ReplicaRequest
let started = 0
const running = new Set<ChildProcess>()
subscribe('child_process', (event) => {
  // node:child_process publishes nothing else here.
  const { process: child } = event as { readonly process: ChildProcess }
  started++
  running.add(child)
  child.once('exit', () => running.delete(child))
})
let acceptedAt: number | undefined
const store = await openPgliteStore(request.data)
const engine = openRuleEngine()
const { source } = tenantPolicy({
  tenant: 'default',
  config: {
    repository: request.remote,
    branch: 'main',
    pin: request.pin,
    credentials: undefined,
    authoritiesFile: undefined,
  },
  directory: request.clone,
  engine,
  store,
  clock: systemClock,
  random: systemRandom,
  journal: {
    record({ event }) {
      if (event === 'policy.accepted') acceptedAt ??= performance.now()
    },
  },
  replica: 'measured',
  searchPath: process.env.PATH ?? '',
})

async function look(): Promise<LookCost> {
  acceptedAt = undefined
  const [startedBefore, othersBefore] = [started, othersCpuMs()]
  const cpuBefore = process.cpuUsage()
  const begun = performance.now()
  await source.refresh()
  const ended = performance.now()
  const { user, system } = process.cpuUsage(cpuBefore)
  const othersAfter = othersCpuMs()
  return {
    wallMs: (acceptedAt ?? ended) - begun,
    wholeMs: ended - begun,
    cpuMs: (user + system) / 1000,
    othersCpuMs:
      othersBefore === undefined || othersAfter === undefined
        ? undefined
        : othersAfter - othersBefore,
    started: started - startedBefore,
    commit: source.accepted()?.commit,
    conditions: source
      .conditions(systemClock.now())
      .map(({ name, message }) => `${name}: ${message}`),
  }
}

/** Of those that have ended, and of those that have not. */
function othersCpuMs(): number | undefined {
  const ended = cpuTimesOf('self')?.ofChildren
  if (ended === undefined) return undefined
  const alive = [...running].map(({ pid }) => cpuTimesOf(`${pid}`))
  return alive.reduce((sum, times) => sum + (times ? times.own + times.ofChildren : 0), ended)
}

/** proc_pid_stat(5): utime, stime, cutime, cstime, in hundredths of a second; the name before them may hold spaces, but ends with `)`. */
function cpuTimesOf(pid: string) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 15)
      .map((hundredths) => Number(hundredths) * 10)
    return { own: user + system, ofChildren: childrenUser + childrenSystem }
  } catch {
    return undefined
  }
}

process.on('message', (message) => {
  if (message === 'look') void look().then((cost) => process.send?.(cost))
  else void close()
})

async function close(): Promise<void> {
  await engine.close()
  await store.close()
  process.disconnect()
}

process.send?.('ready')
