/** Does the sensor follow whoever belongs to the agent, whatever they do to get away, and nobody else? Long: vitest.config.ts. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { calls, describeSensor, fileNamed, of, sharedScene, testScene } from './sensor-scene.ts'

describeSensor('who is watched', () => {
  const scene = sharedScene()

  it.each([
    ['a process whose first thread has ended', ['leader-exits'], 'setfsuid 4711'],
    ['whoever has lost all its parents', ['orphans', '5'], 'setfsuid 4712'],
  ])('%s', async (_, act, call) => {
    const { run, attack, seen } = await scene()
    const { events } = await run(attack, ...act)
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(calls([...events, ...(await seen())])).toContain(call)
  })

  it('all of a bomb of processes', async () => {
    const { run, attack, sensor } = await scene()
    const before = sensor.dropped()
    const { events } = await run(attack, 'fork-bomb', '300')
    expect(calls(events).filter((call) => call === 'setfsuid 4713')).toHaveLength(300)
    expect(of('fork', events).length).toBeGreaterThanOrEqual(300)
    expect(of('exit', events).length).toBeGreaterThanOrEqual(300)
    expect(sensor.dropped()).toBe(before)
    const processes = of('interval', events).at(-1)?.processes
    expect(processes).toBe(0)
  })

  it('who moves to the parent cgroup: the attempt, the move, and what it does there', async () => {
    const { run, attack, folder } = await scene()
    const procs = join(folder, '..', 'cgroup.procs')
    const { events, outcome } = await run(attack, 'move', procs)
    expect(outcome).toBe(0)
    expect(calls(events)).toEqual([`cgroup-write ${procs}`, 'cgroup-leave /', 'setfsuid 4714'])
  })

  it('nobody else', async () => {
    const { attack, seen } = await scene()
    const other = spawn(attack, ['memfd-exec'], { stdio: 'ignore' })
    await new Promise((resolve) => other.once('exit', resolve))
    expect((await seen()).filter(({ kind }) => kind !== 'interval')).toEqual([])
  })

  it('a process tree without a cgroup, with what it had started before', async () => {
    const shell = spawn('/bin/bash', ['-c', 'cat; read line; exec cat /etc/hostname'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const tree = await testScene({ scope: { pid: shell.pid ?? 0 } })
    shell.stdin.end()
    await new Promise((resolve) => shell.once('exit', resolve))
    const events = await tree.seen()
    expect(of('exit', events).map(({ comm }) => comm)).toEqual(['cat', 'cat'])
    expect(fileNamed('/etc/hostname', 'open', events)).toBeDefined()
  })
})
