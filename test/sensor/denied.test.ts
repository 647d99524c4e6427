/** Do connections end at the allowlist, whatever family and protocol they use, and whatever becomes of the sensor? */

import { execFileSync } from 'node:child_process'
import { EADDRNOTAVAIL, ENETUNREACH, EPERM } from 'node:constants'
import { expect, it } from 'vitest'
import { startSensor } from '../../enclave/sensor/sensor.ts'
import { builtSensorProgram } from '../../enclave/sensor/sensor-program.ts'
import { describeSensor, of, runIn, sharedScene, testScene } from './sensor-scene.ts'

const allow = ['127.0.0.1', '127.0.0.64/26:8443', '[::1]:443', '[2001:db8::/32]:443']

describeSensor('an allowlist of destinations', () => {
  const scene = sharedScene({ allow })

  it.each([
    {
      act: ['connect', '127.0.0.1', '9'],
      to: { address: '127.0.0.1', protocol: 'tcp', how: 'connect' },
    },
    { act: ['connect', '127.0.0.65', '8443'], to: { address: '127.0.0.65', port: 8443 } },
    { act: ['connect', '::1', '443'], to: { address: '::1', port: 443 } },
    // Of the IPv4 list, and so the event says it.
    { act: ['connect', '::ffff:127.0.0.1', '9'], to: { address: '127.0.0.1' } },
    { act: ['send', '127.0.0.1', '9'], to: { protocol: 'udp', how: 'send' } },
    { act: ['send', '::1', '443'], to: { address: '::1', protocol: 'udp' } },
  ])('lets pass $act', async ({ act, to }) => {
    const { run, attack } = await scene()
    const { outcome, events } = await run(attack, ...act)
    expect(of('connection', events)).toMatchObject([{ ...to, verdict: 'allowed' }])
    expect([0, ENETUNREACH, EADDRNOTAVAIL]).toContain(outcome)
  })

  it.each([
    { act: ['connect', '127.0.0.2', '9'], to: { address: '127.0.0.2', port: 9 } },
    { act: ['connect', '127.0.0.65', '8444'], to: { address: '127.0.0.65', port: 8444 } },
    { act: ['connect', '127.0.0.128', '8443'], to: { address: '127.0.0.128' } },
    { act: ['connect', '0.0.0.0', '9'], to: { address: '0.0.0.0' } },
    { act: ['connect', '::1', '444'], to: { address: '::1', port: 444 } },
    { act: ['connect', '2001:db9::1', '443'], to: { address: '2001:db9::1' } },
    { act: ['connect', '::ffff:127.0.0.2', '9'], to: { address: '127.0.0.2' } },
    { act: ['send', '127.0.0.2', '9'], to: { address: '127.0.0.2', protocol: 'udp', how: 'send' } },
    { act: ['send', '2001:db9::1', '443'], to: { address: '2001:db9::1', protocol: 'udp' } },
    { act: ['send', '::ffff:127.0.0.2', '9'], to: { address: '127.0.0.2', protocol: 'udp' } },
  ])('denies $act', async ({ act, to }) => {
    const { run, attack } = await scene()
    const { outcome, events } = await run(attack, ...act)
    expect(of('connection', events)).toMatchObject([{ ...to, verdict: 'denied' }])
    expect(outcome).toBe(EPERM)
  })

  it('denies raw sockets, which would write their own headers', async () => {
    const { run, attack } = await scene()
    expect((await run(attack, 'raw-socket')).outcome).toBe(EPERM)
  })

  it('does not hold for processes outside of the cgroup', async () => {
    const { attack } = await scene()
    expect(() => execFileSync(attack, ['connect', '127.0.0.2', '9'])).not.toThrow()
  })
})

describeSensor('a sensor that is killed', () => {
  it('is noticed at once, and its allowlist stays until the next sensor takes its place', async () => {
    const blind: string[] = []
    const { sensor, folder, attack, cgroup } = await testScene({
      allow: ['127.0.0.1'],
      onBlind: (reason) => blind.push(reason),
    })
    const killed = performance.now()
    process.kill(sensor.pid, 'SIGKILL')
    await sensor.ended
    expect(performance.now() - killed).toBeLessThan(1000)
    expect(blind).toEqual(['the sensor was killed by SIGKILL'])
    expect(sensor.blindness()).toBe('the sensor was killed by SIGKILL')
    await expect(sensor.interval()).rejects.toThrow('killed by SIGKILL')
    const connectTo = async (address: string) =>
      await runIn(folder, attack, 'connect', address, '9').ended
    expect(await connectTo('127.0.0.2')).toBe(EPERM)
    expect(await connectTo('127.0.0.1')).toBe(0)

    const next = await startSensor({
      program: builtSensorProgram(),
      scope: { cgroup: cgroup.unified ?? '' },
      allow: ['127.0.0.2'],
    })
    expect(await connectTo('127.0.0.2')).toBe(0)
    expect(await connectTo('127.0.0.1')).toBe(EPERM)
    await next.close()
    expect(await connectTo('127.0.0.1')).toBe(0)
  })

  it('that was closed is not called blind', async () => {
    const blind: string[] = []
    const { close } = await testScene({ onBlind: (reason) => blind.push(reason) })
    await close()
    expect(blind).toEqual([])
  })

  it('says why it did not start', async () => {
    const program = builtSensorProgram()
    await expect(startSensor({ program, scope: { cgroup: '/tmp' } })).rejects.toThrow(
      'this is no folder of cgroup v2',
    )
    await expect(startSensor({ program, scope: { pid: 1 }, kill: ['getpid'] })).rejects.toThrow(
      '--kill getpid',
    )
    await expect(startSensor({ program: '/nowhere/sensor', scope: { pid: 1 } })).rejects.toThrow(
      'ENOENT',
    )
  })
})

describeSensor('calls whose caller is killed', () => {
  const scene = sharedScene({ kill: ['ptrace', 'memfd_create', 'foreign-abi'] })

  it.each([
    ['ptrace', 'ptrace'],
    ['memfd-exec', 'memfd_create'],
    ['foreign-abi', 'foreign-abi'],
  ])('%s', async (act, call) => {
    const { run, attack } = await scene()
    const { outcome, events } = await run(attack, act)
    expect(outcome).toBe('SIGKILL')
    expect(of('sensitive', events)).toMatchObject([{ call, action: 'killed' }])
  })

  it('and no others', async () => {
    const { run, attack } = await scene()
    expect((await run(attack, 'io-uring')).outcome).toBe(0)
  })
})
