/** Is whoever speaks in the channel the agent whose token was shown, where another attested agent stands in between? */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { initiate, type MutualOptions, responder } from '../../kit/agent/mutual.ts'
import { boundText, decodedHello, decodedReply } from '../../kit/agent/mutual-message.ts'
import type { RunningService } from '../http/running-service.ts'
import { agentsService, localAgentAt, names, partyOf } from './agent-scene.ts'

let service: RunningService
beforeAll(async () => {
  service = await agentsService('unused')
})
afterAll(() => service.close())

test('what one agent says is not taken for another’s that signed its half', async () => {
  const [planner, executor, mallory] = await Promise.all(
    Array.from({ length: 3 }, async () => await localAgentAt(service)),
  )
  if (!planner || !executor || !mallory) throw new Error('three were started')
  const optionsOf = ({ agent }: typeof planner, side: keyof typeof names): MutualOptions => ({
    agent,
    party: partyOf(service, names[side]),
    name: names[side],
    peerName: names[side === 'planner' ? 'executor' : 'planner'],
  })
  const { hello, answer: answerReply } = await initiate(optionsOf(planner, 'planner'))
  const { answer } = responder(optionsOf(executor, 'executor'))
  const second = await answer(hello)
  if (!('reply' in second)) throw new Error('no reply')
  const { peer } = await answerReply(second.reply)
  // The same halves, signed by another agent of the same release.
  const reply = decodedReply(second.reply)
  const { authorization, dpop } = await mallory.agent.headersFor({
    ...{ method: 'MUTUAL', url: 'urn:vouchsafe:mutual:v1:initiator', audience: names.executor },
    body: boundText('initiator', {
      names: { initiator: names.planner, responder: names.executor },
      halves: { initiator: decodedHello(hello), responder: reply },
      channel: '',
    }),
  })
  const [token, proof] = [authorization.replace('DPoP ', ''), dpop]
  const finish = { protocol: 'vouchsafe-mutual/v1', to: reply.nonce, token, proof }
  const last = await answer(new TextEncoder().encode(JSON.stringify(finish)))
  if (!('peer' in last)) throw new Error('no peer')
  expect(last.peer.claims.keyThumbprint).toBe(mallory.session.keys.sig.thumbprint)
  const said = await peer.channel.seal(new TextEncoder().encode('pay what I owe'))
  await expect(last.peer.channel.open(said)).rejects.toMatchObject({ reason: 'channel-broken' })
})
