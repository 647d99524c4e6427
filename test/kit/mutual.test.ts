/** Do two attested agents meet, and nobody else: with somebody in between, with old words, revoked, or of another release? */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type AttestedPeer,
  initiate,
  type MessagePipe,
  type MutualOptions,
  MutualRefused,
  meet,
  responder,
} from '../../kit/agent/mutual.ts'
import { ephemeralKey } from '../../kit/agent/mutual-channel.ts'
import type { RelyingPartyOptions } from '../../kit/relying-party/relying-party.ts'
import { AT, bearer, post, type RunningService } from '../http/running-service.ts'
import { agentsService, type LocalAgentScene, localAgentAt, names, partyOf } from './agent-scene.ts'

let service: RunningService
beforeAll(async () => {
  service = await agentsService('unused')
})
afterAll(() => service.close())
beforeEach(() => {
  service.clock.at = AT
})

type Side = keyof typeof names

/** Each judges by what is `required`; both run the same release here. */
async function sides(required: Partial<RelyingPartyOptions> = {}) {
  const [planner, executor] = await Promise.all([localAgentAt(service), localAgentAt(service)])
  const optionsOf = ({ agent }: LocalAgentScene, side: Side, other: Side): MutualOptions => ({
    agent,
    party: partyOf(service, names[side], required),
    name: names[side],
    peerName: names[other],
  })
  return {
    scenes: { planner, executor },
    planner: optionsOf(planner, 'planner', 'executor'),
    executor: optionsOf(executor, 'executor', 'planner'),
  }
}

type Change = (
  message: Uint8Array<ArrayBuffer>,
) => Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>

/** `between`: what is done to the first message, the second and the third. */
function pipes(between: readonly Change[] = []): readonly [MessagePipe, MessagePipe] {
  let sent = 0
  const ends = [queue(), queue()] as const
  const pipe = (own: number, other: number): MessagePipe => ({
    async send(message) {
      const change = between[sent++] ?? ((same) => same)
      ends[other]?.put(await change(message))
    },
    receive: async () => (await ends[own]?.take()) ?? new Uint8Array(),
  })
  return [pipe(0, 1), pipe(1, 0)]
}

function queue() {
  const held: Uint8Array[] = []
  const waiting: ((message: Uint8Array) => void)[] = []
  return {
    put(message: Uint8Array) {
      const take = waiting.shift()
      if (take) take(message)
      else held.push(message)
    },
    take: async () =>
      held.shift() ?? (await new Promise<Uint8Array>((resolve) => waiting.push(resolve))),
  }
}

/** Whoever fails first ends it for both; what happened to each. */
async function met(
  { planner, executor }: { planner: MutualOptions; executor: MutualOptions },
  between?: readonly Change[],
): Promise<readonly [AttestedPeer | string, AttestedPeer | string]> {
  const [here, there] = pipes(between)
  const reason = (fault: { reason?: string; message: string }) => fault.reason ?? fault.message
  const ended = Promise.withResolvers<string>()
  const orEnded = async (meeting: Promise<AttestedPeer>) => {
    const outcome = meeting.catch((fault) => {
      ended.resolve('never heard')
      return reason(fault)
    })
    return await Promise.race([
      outcome,
      ended.promise.then(async (text) => await Promise.race([outcome, later(text)])),
    ])
  }
  return await Promise.all([
    orEnded(meet('initiator', here, planner)),
    orEnded(meet('responder', there, executor)),
  ])
}

const later = async (text: string) =>
  await new Promise<string>((resolve) => setTimeout(() => resolve(text), 300))

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const decode = (message: Uint8Array) => JSON.parse(new TextDecoder().decode(message))
const text = (message: string) => new TextEncoder().encode(message)
const put =
  (members: object): Change =>
  (message) =>
    encode({ ...decode(message), ...members })

describe('two attested agents', () => {
  test('meet, know each other, and talk where nobody else can', async () => {
    const both = await sides()
    const [here, there] = await met(both)
    if (typeof here === 'string' || typeof there === 'string') throw new Error(`${here} ${there}`)
    const keyOf = ({ session }: LocalAgentScene) => session.keys.sig.thumbprint
    expect(here.claims).toMatchObject({
      ...{ keyThumbprint: keyOf(both.scenes.executor), audience: names.planner },
    })
    expect(there.claims).toMatchObject({
      ...{ keyThumbprint: keyOf(both.scenes.planner), audience: names.executor },
    })
    const question = await here.channel.seal(text('book it'))
    expect(new TextDecoder().decode(await there.channel.open(question))).toBe('book it')
    const answer = await there.channel.seal(text('done'))
    expect(new TextDecoder().decode(await here.channel.open(answer))).toBe('done')
    // Not twice, and nothing after it.
    await expect(here.channel.open(answer)).rejects.toMatchObject({ reason: 'channel-broken' })
    const next = await there.channel.seal(text('more'))
    await expect(here.channel.open(next)).rejects.toMatchObject({ reason: 'channel-broken' })
  })

  test('meet over a connection that both name by its exporter', async () => {
    const channelBinding = new Uint8Array(32).fill(5)
    const { planner, executor } = await sides()
    const [here, there] = await met({
      planner: { ...planner, channelBinding },
      executor: { ...executor, channelBinding: channelBinding.slice() },
    })
    expect([typeof here, typeof there]).toEqual(['object', 'object'])
  })

  test('meet over HTTP: each message is the body of a POST, and its answer', async () => {
    const { planner, executor } = await sides()
    const { answer } = responder(executor)
    const { hello, answer: answered } = await initiate(planner)
    const first = await answer(hello)
    if (!('reply' in first)) throw new Error('no reply')
    const { finish, peer } = await answered(first.reply)
    const last = await answer(finish)
    if (!('peer' in last)) throw new Error('no peer')
    const sealed = await peer.channel.seal(text('hello'))
    expect(new TextDecoder().decode(await last.peer.channel.open(sealed))).toBe('hello')
  })
})

describe('somebody in between', () => {
  test('who relays every message can neither read nor write what follows', async () => {
    const [here, there] = await met(await sides())
    if (typeof here === 'string' || typeof there === 'string') throw new Error('they did not meet')
    const sealed = await here.channel.seal(text('pay 7'))
    expect(Buffer.from(sealed).includes('pay 7')).toBe(false)
    sealed[0] = (sealed[0] ?? 0) ^ 1
    await expect(there.channel.open(sealed)).rejects.toMatchObject({ reason: 'channel-broken' })
  })

  test('who puts keys of his own in place is found out by the first who judges', async () => {
    const { key } = await ephemeralKey()
    expect(await met(await sides(), [put({ key })])).toEqual(['proof-body-other', 'never heard'])
    expect(await met(await sides(), [(same) => same, put({ key })])).toEqual([
      'proof-body-other',
      'never heard',
    ])
  })

  test('who ends two TLS connections has two exporters', async () => {
    const { planner, executor } = await sides()
    const outcome = await met({
      planner: { ...planner, channelBinding: new Uint8Array(32).fill(1) },
      executor: { ...executor, channelBinding: new Uint8Array(32).fill(2) },
    })
    expect(outcome).toEqual(['proof-body-other', 'never heard'])
  })

  test('who leads an agent to another than it meant', async () => {
    const { planner, executor } = await sides()
    const elsewhere = { ...executor, name: 'other.example' }
    expect(await met({ planner, executor: elsewhere })).toEqual(['proof-body-other', 'never heard'])
  })

  test('who changes the last message is found out by the responder', async () => {
    const same: Change = (message) => message
    const other = await sides()
    // A proof by another attested agent’s key, for another exchange.
    const { dpop } = await other.executor.agent.headersFor({
      ...{ method: 'MUTUAL', url: 'urn:vouchsafe:mutual:v1:initiator', body: 'x' },
      audience: names.executor,
    })
    const [, there] = await met(await sides(), [same, same, put({ proof: dpop })])
    expect(there).toBe('proof-key-other')
  })
})

describe('old words', () => {
  test('a reply to another hello, and a finish of another exchange, are nobody’s', async () => {
    const { planner, executor } = await sides()
    const { answer } = responder(executor)
    const one = await initiate(planner)
    const first = await answer(one.hello)
    if (!('reply' in first)) throw new Error('no reply')
    const other = await initiate(planner)
    await expect(other.answer(first.reply)).rejects.toMatchObject({ reason: 'exchange-unknown' })
    // As if it were an answer to this one.
    const moved = encode({ ...decode(first.reply), to: decode(other.hello).nonce })
    await expect(other.answer(moved)).rejects.toMatchObject({ reason: 'proof-body-other' })

    const { finish } = await one.answer(first.reply)
    await expect(one.answer(first.reply)).rejects.toBeInstanceOf(MutualRefused)
    expect(await answer(finish)).toMatchObject({ peer: {} })
    await expect(answer(finish)).rejects.toMatchObject({ reason: 'exchange-unknown' })
    const again = await answer(other.hello)
    if (!('reply' in again)) throw new Error('no reply')
    const replayed = encode({ ...decode(finish), to: decode(again.reply).nonce })
    await expect(answer(replayed)).rejects.toMatchObject({ reason: 'proof-body-other' })
  })

  test('its own words, brought back to it, are not another agent’s', async () => {
    const { planner } = await sides()
    const { hello, answer } = await initiate(planner)
    const { nonce, key } = decode(hello)
    const { authorization, dpop } = await planner.agent.headersFor({
      ...{ method: 'MUTUAL', url: 'urn:vouchsafe:mutual:v1:initiator', body: 'x' },
      audience: names.executor,
    })
    const token = authorization.replace('DPoP ', '')
    const reflected = { protocol: 'vouchsafe-mutual/v1', to: nonce, nonce, key, token, proof: dpop }
    await expect(answer(encode(reflected))).rejects.toMatchObject({ reason: 'audience-other' })
  })

  test.each<[string, unknown]>([
    ['another protocol', { protocol: 'vouchsafe-mutual/v2', nonce: 'A'.repeat(43), key: 'A' }],
    ['a nonce that is too short', { protocol: 'vouchsafe-mutual/v1', nonce: 'AAAA', key: 'B' }],
    [
      'more than is asked',
      { protocol: 'vouchsafe-mutual/v1', nonce: 'A'.repeat(43), key: 'A', a: 1 },
    ],
    ['a list', []],
    ['a text of 40 KiB', 'x'.repeat(40_000)],
  ])('%s is no message', async (_, message) => {
    const { executor } = await sides()
    await expect(responder(executor).answer(encode(message))).rejects.toMatchObject({
      reason: 'message-malformed',
    })
  })
})

describe('an agent that is not what the other wants', () => {
  test('of another release', async () => {
    const required = { assurance: 'simulated', environment: 'prod', agent: 'executor' } as const
    expect(await met(await sides({ required }))).toEqual(['agent-other', 'never heard'])
  })

  test('whose hardware nobody vouches for', async () => {
    expect(await met(await sides({ required: {} }))).toEqual([
      expect.stringMatching(/assurance-other|status-insufficient/),
      'never heard',
    ])
  })

  test('whose tokens were revoked, because its session is in quarantine', async () => {
    const both = await sides()
    const { session } = both.scenes.planner
    await session.tokens()
    const { id } = session.latest()?.answer ?? {}
    const address = `${service.url}/v1/sessions/${id}/actions`
    const body = JSON.stringify({ action: 'quarantine', reason: 'a test' })
    expect((await post(address, body, bearer('operator'))).status).toBe(200)
    // The agent itself has not heard of it; whoever reads the status list has, after its ttl.
    service.clock.at = new Date(AT.getTime() + 31_000)
    const [, there] = await met(both)
    expect(there).toBe('token-revoked')
  })

  test('and of whom nobody can tell, since the issuer does not answer', async () => {
    const both = await sides({ fetch: async () => Promise.reject(new Error('down')) })
    expect((await met(both))[0]).toBe('keys-unavailable')
  })
})
