/**
 * What an agent tells is a history that cannot be taken back: whoever writes it anew, tells two of them or tells an old part again
 * is noticed by the service, and at the machine by the log of its boot.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTokens } from '../../enclave/attestation.ts'
import { openBootLog } from '../../enclave/measure/boot-log.ts'
import { simulatedRegister } from '../../enclave/simulator/runtime-register.ts'
import { codeEvent, interval, type Speaker, speaker } from '../http/session-scene.ts'
import { type TamperScene, tamperScene } from './scene.ts'

const MOST_REMOTE_MS = 5_000

describe('a history', () => {
  let scene: TamperScene
  beforeAll(async () => {
    scene = await tamperScene()
  })
  afterAll(async () => await scene.close())

  async function opened(): Promise<{ readonly agent: Speaker; readonly token: string }> {
    const agent = await speaker(scene.service)
    const { status, json } = await agent.open()
    expect(status).toBe(200)
    const [first] = await openTokens(json, agent.keys)
    const token = first?.token ?? ''
    expect(await scene.asked(token)).toBe('accepted')
    return { agent, token }
  }

  /** The token is refused for it, and the reason is the history. */
  async function broken({ id }: Speaker, token: string, reason: string): Promise<void> {
    const at = performance.now()
    expect((await scene.refused(token)) - at).toBeLessThan(MOST_REMOTE_MS)
    const seen = await scene.sessionOf(id)
    expect(seen.state).toBe('REVOKED')
    expect(seen.reason).toMatch(/^broken evidence chain: /)
    expect(seen.reason).toContain(reason)
  }

  it('with an event that was altered after its digest had been told ends the session', async () => {
    const { agent, token } = await opened()
    const { delta } = agent.said({ behaviour: [interval({ bytesSent: 1_000_000 })] })
    const altered = { ...delta, behaviour: [interval({ bytesSent: 1 })] }
    const { status, json } = await agent.send(await agent.heartbeatOf(altered))
    expect([status, json.code]).toEqual([403, 'session-chain-broken'])
    await broken(agent, token, 'do not lead to the heads')
  })

  it('that is cut off ends the session', async () => {
    const { agent, token } = await opened()
    await agent.heartbeat()
    // As the first message left it: what the second told is gone.
    const { delta } = agent.said({ behaviour: [interval()] })
    const shorter = { ...delta.statement, behaviours: '0' }
    const { json } = await agent.send(await agent.heartbeatOf({ ...delta, statement: shorter }))
    expect(json.code).toBe('session-chain-broken')
    await broken(agent, token, 'do not lead to the heads')
  })

  it('of which there are two, told by two clients with one state, ends the session', async () => {
    const { agent, token } = await opened()
    const twin = await speaker(scene.service, { keys: agent.keys, id: agent.id })
    twin.ledger = agent.ledger
    twin.answer = agent.answer
    expect((await agent.heartbeat()).status).toBe(200)
    const { json } = await twin.heartbeat({ behaviour: [interval({ bytesSent: 7 })] })
    expect(json.code).toBe('session-chain-broken')
    await broken(agent, token, 'was told before, and said something else')
    expect((await agent.heartbeat()).json).toMatchObject({ code: 'session-over', state: 'REVOKED' })
  })

  it('whose old part is told again keeps nothing alive', async () => {
    const { agent, token } = await opened()
    const recorded = await agent.heartbeatOf(agent.said({ behaviour: [interval()] }).delta)
    const { json: first } = await agent.send(recorded)
    expect(first.state).toBe('ACTIVE')
    scene.forward(21)
    const { status, json } = await agent.send(recorded)
    // The very last message is answered again, as a lost answer is; it moves nothing.
    expect([status, json.leaseUntil]).toEqual([200, first.leaseUntil])
    expect((await scene.sessionOf(agent.id)).state).toBe('LATE')
    scene.forward(20)
    await agent.send(recorded)
    expect((await scene.sessionOf(agent.id)).state).toBe('SUSPENDED')
    expect(await scene.asked(token)).toBe('accepted')
    scene.forward(90)
    expect(await scene.asked(token)).toBe('token-expired')
  })

  it('whose older message is told again is refused, and goes on from the newest', async () => {
    const { agent } = await opened()
    const recorded = await agent.heartbeatOf(agent.said({ behaviour: [interval()] }).delta)
    await agent.heartbeat()
    await agent.heartbeat()
    expect((await agent.send(recorded)).json.code).toBe('session-nonce-refused')
    expect((await agent.heartbeat()).status).toBe(200)
  })
})

describe('the log of a boot, where there is a register', () => {
  it.each<[string, (lines: readonly string[]) => readonly string[]]>([
    [
      'one event was altered',
      ([head, , ...rest]) => [head ?? '', codeEvent('/app/other.js'), ...rest],
    ],
    ['the last event was cut off', (lines) => lines.slice(0, -1)],
    ['all events were cut off', ([head]) => [head ?? '']],
  ])('is believed by nobody after %s', async (_, alter) => {
    const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-log-'))
    const place = { folder, boot: 'b0070000', register: simulatedRegister() }
    try {
      const log = await openBootLog(place)
      await log.append([codeEvent('/app/a.js'), codeEvent('/app/b.js')])
      await log.close()
      const path = join(folder, 'measurements')
      const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
      writeFileSync(
        path,
        alter(lines)
          .map((line) => `${line}\n`)
          .join(''),
      )
      await expect(openBootLog(place)).rejects.toMatchObject({ kind: 'diverged' })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
