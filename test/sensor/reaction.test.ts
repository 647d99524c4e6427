/** How long does it take from what an agent does until it does nothing any more? */
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import {
  type AgentCgroup,
  type CgroupMounts,
  createAgentCgroup,
  mountedCgroups,
} from '../../enclave/sensor/agent-cgroup.ts'
import { type Reactor, reactor } from '../../enclave/sensor/reaction.ts'
import { describeSensor, runIn, testScene, until } from './sensor-scene.ts'

/** Of /proc/PID/stat, in ticks: user and kernel. */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

/** Milliseconds, by the clock of the sensor's `at`: this kernel does not sleep. */
function uptimeMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

describeSensor('a reaction to an event', () => {
  it('freezes the agent, and what is thawed runs on', async () => {
    const latencies: number[] = []
    let group: Reactor | undefined
    const scene = await testScene({
      onEvent(event) {
        if (event.kind !== 'sensitive' || event.call !== 'memfd_create') return
        expect(group?.freeze('memfd_create').action).toBe('freeze')
        latencies.push(uptimeMs() - event.at / 1000)
      },
    })
    const { folder, attack } = scene
    group = reactor(scene.cgroup.freezer)
    for (let round = 0; round < 10; round++) {
      const { pid, stdin, ended } = runIn(folder, attack, 'endless')
      stdin.end('go\n')
      await until(() => latencies.length > round)
      await until(() => group?.isFrozen() === true)
      const before = cpuTicks(pid)
      group.thaw()
      if (round === 0) await until(() => cpuTicks(pid) > before)
      expect(group.kill('done').action).toBe('kill')
      expect(await ended).toBe('SIGKILL')
    }
    // `npm run bench -- --only sensor` has the figure (0.2 ms); a test shares its machine.
    expect(median(latencies)).toBeLessThan(100)
  })
})

const mounts = process.platform === 'linux' ? mountsHere() : {}

function mountsHere(): CgroupMounts {
  return mountedCgroups(readFileSync('/proc/self/mountinfo', 'utf8'))
}

const isRoot = process.getuid?.() === 0

describe.each([
  ['cgroup v2', mounts.unified === undefined ? {} : { unified: mounts.unified }],
  ['the freezer of cgroup v1', mounts.freezer === undefined ? {} : { freezer: mounts.freezer }],
] as const)('%s', (name, only: CgroupMounts) => {
  const reason = !isRoot ? 'this is not root' : Object.keys(only).length === 0 ? 'not mounted' : ''
  const groups: AgentCgroup[] = []
  const made = () => {
    const group = createAgentCgroup(`vouchsafe-reaction-${process.pid}-${groups.length}`, only)
    groups.push(group)
    return group
  }
  afterAll(async () => {
    for (const group of groups) await group.remove().catch(() => {})
  })

  it.skipIf(reason)(
    `freezes, thaws, signals and kills ${reason && `(skipped: ${reason})`}`,
    async () => {
      const group = made()
      const verbs = reactor(group.freezer)
      const busy = runIn(group.freezer.folder, '/bin/sh', '-c', 'sleep 100 & while :; do :; done')
      await until(() => group.pids().length === 2)
      const said = verbs.freeze('a test')
      expect(said).toMatchObject({ kind: 'reaction', action: 'freeze' })
      expect(said.reason).toMatch(/^(not all of it is frozen yet: )?a test$/)
      expect(said.microseconds).toBeGreaterThan(0)
      await until(verbs.isFrozen)
      verbs.thaw()
      await until(() => !verbs.isFrozen())
      expect(verbs.signal({ pid: busy.pid, signal: 'SIGSTOP', reason: 'x' }).action).toBe('signal')
      verbs.freeze('again')
      verbs.kill('enough')
      expect(await busy.ended).toBe('SIGKILL')
      await until(() => group.pids().length === 0)
      await group.remove()
      expect(() => group.pids()).toThrow('ENOENT')
    },
  )

  it.skipIf(reason)(
    `is not taken over from somebody else ${reason && `(skipped: ${reason})`}`,
    () => {
      const { freezer } = made()
      const taken = freezer.folder.split('/').at(-1) ?? ''
      expect(() => createAgentCgroup(taken, only)).toThrow('EEXIST')
      expect(() => createAgentCgroup('../other', only)).toThrow('is no name for a cgroup')
      expect(name).toBeTruthy()
    },
  )
})

describe('a machine', () => {
  it('without cgroups that freeze is refused', () => {
    expect(() => createAgentCgroup('agent', {})).toThrow('neither cgroup v2 nor the freezer')
  })

  it('says by its mounts which cgroups it has', () => {
    const lines = [
      '25 30 0:22 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate',
      '36 30 0:30 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer',
      '37 30 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu',
    ]
    expect(mountedCgroups(lines.join('\n'))).toEqual({
      unified: '/sys/fs/cgroup',
      freezer: '/sys/fs/cgroup/freezer',
    })
    expect(mountedCgroups('')).toEqual({})
  })
})
