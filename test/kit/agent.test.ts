/** Does a program get what it needs through the kit, with its keys in another process? */
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AgentFault, localAgent } from '../../kit/agent/agent.ts'
import { sha256 } from '../../kit/relying-party/base64url.ts'
import { measurementOf } from '../enclave/told-collector.ts'
import type { RunningService } from '../http/running-service.ts'
import { agentsService, localAgentAt, names, partyOf } from './agent-scene.ts'

const SECRET = 'not in any log'

let service: RunningService
beforeAll(async () => {
  service = await agentsService(SECRET)
})
afterAll(() => service.close())

describe('an agent', () => {
  test('has the token for each audience', async () => {
    const { agent } = await localAgentAt(service)
    expect(decodeJwt(await agent.tokenFor(names.planner))).toMatchObject({ aud: names.planner })
    expect(decodeJwt(await agent.tokenFor())).toMatchObject({ aud: service.url })
    await expect(agent.tokenFor('other.example')).rejects.toMatchObject({
      ...{ name: 'AgentFault', code: 'audience-unknown', status: 404 },
    })
  })

  test.each([
    ['text', '{"amount":7}'],
    ['bytes', new Uint8Array([0, 255, 10])],
    ['nothing', undefined],
  ])('proves a request with %s in it to a relying party', async (_, body) => {
    const { agent } = await localAgentAt(service)
    const url = 'https://planner.example/bookings'
    const { authorization, dpop } = await agent.headersFor({
      ...{ method: 'POST', url, audience: names.planner },
      ...(body !== undefined && { body }),
    })
    const bodySha256 = body === undefined ? 'none' : await sha256(body)
    const presented = { token: authorization.replace('DPoP ', ''), proof: dpop }
    const party = partyOf(service, names.planner)
    const verdict = await party.verify({
      ...presented,
      request: { method: 'POST', url, bodySha256 },
    })
    expect(verdict).toMatchObject({ accepted: true, proved: true })
    expect(
      await party.verify({ ...presented, request: { method: 'POST', url, bodySha256: 'x' } }),
    ).toMatchObject({ accepted: false, reason: 'proof-body-other' })
  })

  test('gets a secret and closes it, which overwrites it', async () => {
    const { agent } = await localAgentAt(service)
    const released = await agent.release('secret:db-ro', { minimumVersion: 1 })
    expect(new TextDecoder().decode(released.secret)).toBe(SECRET)
    const ended = released.ended()
    await released.close()
    expect(released.secret.every((byte) => byte === 0)).toBe(true)
    expect(await ended).toMatchObject({ end: 'closed' })
  })

  test('hears when a secret may not be used any more, and how its session stands', async () => {
    const { agent, collector, pass } = await localAgentAt(service)
    expect(await agent.session()).toMatchObject({ state: 'ACTIVE' })
    const released = await agent.release('secret:db-ro')
    const ended = released.ended()
    collector.happened({ measurement: measurementOf('injected') })
    await pass(10_000)
    expect(await ended).toMatchObject({ end: 'refused' })
    await expect(agent.tokenFor()).rejects.toMatchObject({ code: 'session-over', status: 410 })
  })

  test('says what its models cost and what it wrote', async () => {
    const { agent, collector } = await localAgentAt(service)
    await agent.reportUsage({ modelTokens: 5 })
    await agent.reportState('/srv/memory.json')
    expect([collector.spendings, collector.states]).toEqual([
      [{ tokens: 5, microUsd: 0 }],
      ['/srv/memory.json'],
    ])
  })
})

describe('without a sidecar', () => {
  test('a socket that is not there is told with what to do', async () => {
    const fault = await localAgent({ socket: '/nonexistent.sock' })
      .session()
      .catch((thrown: unknown) => thrown)
    expect(fault).toBeInstanceOf(AgentFault)
    expect(fault).toMatchObject({
      ...{ code: 'endpoint-unreachable', status: 0 },
      next: expect.stringContaining('sidecar'),
    })
  })

  test.each([[undefined], ['relative.sock']])('no socket is guessed: %s', (socket) => {
    expect(() => localAgent(socket === undefined ? {} : { socket })).toThrow(TypeError)
  })
})
