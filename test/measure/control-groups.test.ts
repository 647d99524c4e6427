import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { groupsOf, membersOf, usageOf } from '../../enclave/measure/control-groups.ts'

const mounts = [
  '30 24 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755',
  '31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw',
  '32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct',
  '33 30 0:29 / /sys/fs/cgroup/memory rw shared:12 - cgroup cgroup rw,memory',
  String.raw`34 30 0:30 /pod /mnt/a\040place rw shared:13 - cgroup cgroup rw,pids`,
].join('\n')

function reading(files: Readonly<Record<string, string>>) {
  return (path: string) => {
    const text = files[path]
    if (text === undefined) throw new Error(`ENOENT: ${path}`)
    return text
  }
}

const noFault = {
  fault(reason: string) {
    throw new Error(reason)
  },
}

function groupsWith(agent: string, collector: string, mountinfo = mounts) {
  return groupsOf(
    7,
    reading({
      '/proc/7/cgroup': agent,
      '/proc/self/cgroup': collector,
      '/proc/self/mountinfo': mountinfo,
    }),
  )
}

describe('the agent’s control groups', () => {
  it('are found in version 2', () => {
    const groups = groupsWith('0::/agent.slice/bot\n', '0::/collector\n')
    expect(groups.unified).toBe('/sys/fs/cgroup/unified/agent.slice/bot')
    expect(
      usageOf(
        groups,
        reading({
          '/sys/fs/cgroup/unified/agent.slice/bot/cpu.stat':
            'usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n',
          '/sys/fs/cgroup/unified/agent.slice/bot/memory.current': '1048576\n',
          '/sys/fs/cgroup/unified/agent.slice/bot/pids.current': '3\n',
        }),
      ),
    ).toEqual({ cpuSeconds: 2.5, memoryBytes: 1_048_576, processes: 3 })
  })

  it('are found in version 1, a tree for each controller, and a part of one in a container', () => {
    const groups = groupsWith(
      '4:cpu,cpuacct:/bot:1\n3:memory:/bot\n2:pids:/pod/bot\n0::/\n',
      '4:cpu,cpuacct:/\n3:memory:/\n2:pids:/\n0::/\n',
    )
    expect(groups.unified).toBeUndefined()
    expect(groups.controllers.get('pids')).toBe('/mnt/a place/bot')
    expect(
      usageOf(
        groups,
        reading({
          '/sys/fs/cgroup/cpu,cpuacct/bot:1/cpuacct.usage': '1500000000\n',
          '/sys/fs/cgroup/memory/bot/memory.usage_in_bytes': '4096\n',
          '/mnt/a place/bot/pids.current': '2\n',
        }),
      ),
    ).toEqual({ cpuSeconds: 1.5, memoryBytes: 4096, processes: 2 })
  })

  it.each([
    ['the collector is in it too', '0::/all\n', '0::/all\n'],
    ['the collector is below it', '0::/all\n', '0::/all/collector\n'],
    ['it is everybody’s', '0::/\n', '0::/collector\n'],
    ['it lies outside of what is mounted', '2:pids:/other\n', '2:pids:/\n'],
  ])('are not the agent’s own where %s', (_, agent, collector) => {
    const groups = groupsWith(agent, collector)
    expect(groups).toEqual({ unified: undefined, controllers: new Map() })
    expect(usageOf(groups)).toEqual({
      cpuSeconds: undefined,
      memoryBytes: undefined,
      processes: undefined,
    })
    expect(membersOf(groups, noFault)).toEqual([])
  })
})

const tree = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((path) =>
  existsSync(`${path}/cgroup.procs`),
)
const group = `${tree}/vouchsafe-test-${process.pid}`
const reason = tree
  ? mayMake()
    ? undefined
    : 'this process may make none'
  : 'there is no version 2'

describe.skipIf(reason)(`a real control group${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let child: ChildProcess | undefined
  afterEach(async () => {
    const ended = new Promise((resolve) => child?.once('exit', resolve))
    child?.kill('SIGKILL')
    await ended
    for (const made of [`${group}/inner`, group]) rmdirSync(made)
  })

  it('says what its processes use, those of groups below too', async () => {
    mkdirSync(`${group}/inner`, { recursive: true })
    child = spawn(
      'sh',
      ['-c', 'read go; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo; exec sleep 60'],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
    const pid = child.pid ?? 0
    writeFileSync(`${group}/inner/cgroup.procs`, `${pid}`)
    child.stdin?.write('go\n')
    await new Promise((resolve) => child?.stdout?.once('data', resolve))
    const groups = groupsOf(pid)
    expect(groups.unified).toBe(`${group}/inner`)
    expect(usageOf(groups).cpuSeconds).toBeGreaterThan(0)
    expect(membersOf({ unified: group, controllers: new Map() }, noFault)).toContain(pid)
  })
})

function mayMake(): boolean {
  try {
    mkdirSync(group)
    rmdirSync(group)
    return true
  } catch {
    return false
  }
}
