/** Who follows the issuer's stream of revocations, what is noticed at once by it, and what while it is down? */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Follower, RelyingParty } from '../../kit/relying-party/relying-party.ts'
import { AT } from '../http/running-service.ts'
import { entryOf, outcome, type RelyingScene, relyingScene } from './relying-scene.ts'

let scene: RelyingScene
beforeAll(async () => {
  scene = await relyingScene()
})
beforeEach(() => {
  scene.fetched.length = 0
  scene.from.service.clock.at = AT
})
afterAll(() => scene.close())

const lists = ({ fetched }: RelyingScene) => fetched.filter((url) => url.includes('/status-lists/'))

async function asked(party: RelyingParty, token = scene.good.federation) {
  return outcome(await party.verifyWithoutProof({ token }))
}

describe('whoever follows the stream', () => {
  const followers: Follower[] = []
  afterAll(() => {
    for (const follower of followers) follower.close()
  })

  function following(party: RelyingParty) {
    const states: string[] = []
    const follower = party.follow((state) => states.push(state))
    followers.push(follower)
    return { follower, states }
  }

  test('refuses a revoked token at once, and no other', async () => {
    const token = await scene.fresh()
    const party = scene.party()
    const { follower } = following(party)
    await expect.poll(follower.state).toBe('following')
    expect(await asked(party, token)).toBe('accepted')
    const before = lists(scene).length
    await scene.revoke(token)
    await expect.poll(() => asked(party, token)).toBe('token-revoked')
    expect(lists(scene)).toHaveLength(before)
    expect(await asked(party)).toBe('accepted')
    follower.close()
  })

  test('comes back when the stream breaks, and looks at the lists for what it missed', async () => {
    const token = await scene.fresh()
    let isDown = false
    let line = new AbortController()
    const party = scene.party({
      fetch: async (url, init) => {
        if (!url.endsWith('/status-events')) return await scene.from.fetch(url, init)
        if (isDown) throw new TypeError('fetch failed')
        const { body } = await scene.from.fetch(url, init)
        return new Response(body?.pipeThrough(new TransformStream(), { signal: line.signal }))
      },
    })
    const { follower, states } = following(party)
    await expect.poll(follower.state).toBe('following')
    expect(await asked(party, token)).toBe('accepted')
    isDown = true
    line.abort(new Error('cut'))
    await expect.poll(follower.state).toBe('down')
    await scene.revoke(token)
    // As without a follower: the list that is held says what it said.
    expect(await asked(party, token)).toBe('accepted')
    // The service signs a list once a second.
    scene.wait(1)
    line = new AbortController()
    isDown = false
    await expect.poll(() => states.join(), { timeout: 8_000 }).toBe('following,down,following')
    expect(await asked(party, token)).toBe('token-revoked')
    follower.close()
  }, 20_000)

  test.each<[string, () => Response]>([
    ['refuses', () => new Response('', { status: 429 })],
    ['answers something else', () => new Response(null, { status: 204 })],
  ])('a service that %s is followed by nobody', async (_, answer) => {
    let times = 0
    const party = scene.party({
      fetch: async (url, init) => {
        if (!url.endsWith('/status-events')) return await scene.from.fetch(url, init)
        times++
        return answer()
      },
    })
    const { follower, states } = following(party)
    await expect.poll(() => times).toBe(1)
    expect([follower.state(), states]).toEqual(['down', []])
    follower.close()
  })

  test('nothing that the stream says makes a token good, or breaks it', async () => {
    const token = await scene.fresh()
    const { uri, idx } = entryOf(token)
    const lines = [
      'data: no JSON',
      'data: []',
      'data: {"uri":1,"idx":"2"}',
      `data: ${JSON.stringify({ uri, idx: `${idx}` })}`,
      `data: ${JSON.stringify({ uri: `${uri}0`, idx })}`,
      ': a comment',
      `event: token.revoked`,
      '',
      '',
    ]
    let send = (_: string) => {}
    const party = scene.party({
      fetch: async (url, init) =>
        url.endsWith('/status-events')
          ? new Response(
              new ReadableStream({
                start(controller) {
                  send = (text) => controller.enqueue(new TextEncoder().encode(text))
                },
              }),
            )
          : await scene.from.fetch(url, init),
    })
    const { follower } = following(party)
    await expect.poll(follower.state).toBe('following')
    send(lines.join('\n'))
    expect(await asked(party, token)).toBe('accepted')
    // In two pieces, in the middle of a name.
    const data = `data: ${JSON.stringify({ uri, idx })}\n\n`
    send(data.slice(0, 20))
    send(data.slice(20))
    await expect.poll(() => asked(party, token)).toBe('token-revoked')
    send('x'.repeat(5_000))
    await expect.poll(follower.state).toBe('down')
    follower.close()
  })
})
