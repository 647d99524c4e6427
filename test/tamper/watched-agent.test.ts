/**
 * An agent runs and is tampered with: what stops it on the machine itself, which check tells the verifier, and until when does a
 * relying party believe it? Bounds here are generous, since a test shares its machine; `npm run bench -- --only detection` has
 * the figures of docs/detection.md.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LOOK_EVERY_MS } from '../../enclave/sidecar/guarding.ts'
import { describeSensor } from '../sensor/sensor-scene.ts'
import { acts, mend } from './acts.ts'
import { type TamperScene, tamperScene, until } from './scene.ts'

const MOST_LOCAL_MS = 500
/** What no event tells is found by the look of each second. */
const MOST_LOOK_MS = 4_000
const MOST_REMOTE_MS = 5_000
const LOOKED_AT = [
  'a changed code file',
  'executable memory that is patched',
  'a swapped model file',
  'a debugger from outside',
]

describeSensor('a watched agent', () => {
  let scene: TamperScene
  beforeAll(async () => {
    scene = await tamperScene()
  })
  afterAll(async () => await scene.close())

  it.each(acts)('$name', async ({ name, act, frozenFor, check }) => {
    const agent = await scene.start()
    try {
      expect(await scene.asked(agent.token)).toBe('accepted')
      const at = await act(scene, agent)
      const unusable = (await scene.refused(agent.token)) - at
      expect(await scene.asked(agent.token)).toBe('token-revoked')
      const alarm = agent.guard.alarm()
      expect(alarm?.reason).toEqual(frozenFor ? expect.stringMatching(frozenFor) : undefined)
      if (alarm) {
        expect(alarm.event).toMatchObject({ kind: 'reaction', action: 'freeze' })
        const most = LOOKED_AT.includes(name) ? MOST_LOOK_MS : MOST_LOCAL_MS
        expect(alarm.at - at).toBeLessThan(most)
      }
      expect(unusable).toBeLessThan(MOST_REMOTE_MS)
      const { state, reason } = await scene.sessionOf(agent.session)
      expect(state).toBe('QUARANTINED')
      expect(reason).toContain(check)
      // The whole of it is killed: nobody may thaw what was taken over.
      expect(await agent.ended).toMatchObject({ outcome: 'over' })
      await until(() => !isThere(agent.pid))
    } finally {
      await agent.stop()
      mend(scene)
    }
  })

  it('that nobody tampers with runs on, and is looked at meanwhile', async () => {
    const agent = await scene.start()
    await sleep(2 * LOOK_EVERY_MS + 500)
    expect([agent.guard.alarm(), agent.group.isFrozen()]).toEqual([undefined, false])
    expect(await scene.sessionOf(agent.session)).toMatchObject({ state: 'ACTIVE', demanded: null })
    await agent.stop()
    expect(await agent.ended).toEqual({ outcome: 'stopped' })
    expect(await scene.asked(agent.token)).toBe('token-revoked')
  })

  it('without a list is frozen for what no manifest allows, and for nothing else', async () => {
    const agent = await scene.start({ approved: 'nothing' })
    agent.tell(`${scene.files.strange.program} >/dev/null`)
    await sleep(500)
    expect(agent.guard.alarm()).toBeUndefined()
    await agent.stop()
    const other = await scene.start({ approved: 'nothing' })
    other.tell(`${scene.files.attack} memfd-exec`)
    await until(() => other.guard.alarm() !== undefined)
    expect(other.guard.alarm()?.reason).toMatch(/^a program was started from memory: /)
    await scene.refused(other.token)
    await other.stop()
  })

  it('stays frozen while the verifier cannot be reached, and dies when it is', async () => {
    const agent = await scene.start()
    agent.network.isCut = true
    agent.tell(`${scene.files.strange.program} >/dev/null`)
    await until(agent.group.isFrozen)
    await sleep(1_000)
    expect([agent.group.isFrozen(), isThere(agent.pid)]).toEqual([true, true])
    await expect(agent.local.tokenFor()).rejects.toThrow()
    expect(await scene.asked(agent.token)).toBe('accepted')
    agent.network.isCut = false
    await scene.refused(agent.token)
    expect(await agent.ended).toMatchObject({ outcome: 'over' })
  })

  it('that falls silent is late, then suspended, and its last token dies within two minutes', async () => {
    const agent = await scene.start()
    const heardAt = scene.service.clock.at.getTime()
    agent.network.isCut = true
    const after = async (seconds: number) => {
      scene.forward(seconds - (scene.service.clock.at.getTime() - heardAt) / 1000)
      return [(await scene.sessionOf(agent.session)).state, await scene.asked(agent.token)]
    }
    expect(await after(15)).toEqual(['ACTIVE', 'accepted'])
    expect(await after(21)).toEqual(['LATE', 'accepted'])
    expect(await after(41)).toEqual(['SUSPENDED', 'accepted'])
    // The relying party allows clocks to differ by ten seconds.
    expect(await after(120 + 11)).toEqual(['SUSPENDED', 'token-expired'])
    await agent.stop()
  })
})

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
