/** How many connections one peer may hold, over sockets: what a single address cannot do to all the others. */
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { callerNames } from '#src/http/guard/caller.ts'
import { connectionShares } from '#src/http/guard/connections.ts'
import { type RunningService, runService } from '../running-service.ts'

describe('a share', () => {
  const sharesOf = (most: number) => connectionShares(most, callerNames(['192.0.2.9']))
  const admitted = (most: number, peer: (n: number) => string | undefined) => {
    const { enter } = sharesOf(most)
    return Array.from({ length: 600 }, (_, n) => enter(peer(n))).filter(Boolean).length
  }

  test.each<[string, number, (n: number) => string | undefined, number]>([
    ['is an eighth', 4096, () => '198.51.100.1', 512],
    ['is at least 16', 40, () => '198.51.100.1', 16],
    ['is half of what has no room for 16 more', 20, () => '198.51.100.1', 10],
    ['is of an address however it is mapped', 40, () => '::ffff:198.51.100.1', 16],
    ['is of a /64', 40, (n) => `2001:db8:0:1::${n.toString(16)}`, 16],
    ['is not of two /64s', 80, (n) => `2001:db8:0:${n % 2}::1`, 32],
    ['is each address’s own', 4096, (n) => `198.51.100.${n % 250}`, 600],
    ['of everybody is no more than there are', 20, (n) => `198.51.100.${n % 250}`, 20],
    ['is not asked of a proxy that is named', 20, () => '::ffff:192.0.2.9', 600],
    ['has nobody who is gone', 20, () => undefined, 0],
  ])('%s', (_, most, peer, count) => expect(admitted(most, peer)).toBe(count))

  describe('shrinks as the room fills', () => {
    const MOST = 4096
    /** So many addresses that take whatever they can, one after the other, and answer to whoever asks them to close. */
    function crowd(addresses: number) {
      const { enter, isBeyondShare } = sharesOf(MOST)
      const held = Array.from({ length: addresses }, (): (() => void)[] => [])
      const nameOf = (n: number) => `203.0.${n >> 8}.${n & 255}`
      const grab = () => {
        for (const [n, own] of held.entries())
          for (let leave = enter(nameOf(n)); leave; leave = enter(nameOf(n))) own.push(leave)
      }
      const give = () => {
        for (const [n, own] of held.entries()) while (isBeyondShare(nameOf(n))) own.pop()?.()
      }
      grab()
      // What is given back is there to be taken, by them as well.
      for (let round = 0; round < 20; round += 1) {
        give()
        grab()
      }
      let next = 0
      while (next < MOST && enter('198.51.100.1')) next += 1
      return { next, held: held.reduce((sum, own) => sum + own.length, 0) }
    }

    test.each([
      [1, 512, 448],
      [8, 2_300, 220],
      [64, 3_750, 40],
    ])(
      '%i addresses hold at most %i and leave the next one at least %i',
      (addresses, most, least) => {
        const { next, held } = crowd(addresses)
        expect(held).toBeLessThanOrEqual(most)
        expect(next).toBeGreaterThanOrEqual(least)
      },
    )
  })

  test('is given back', () => {
    const { enter } = sharesOf(40)
    const leaves = Array.from({ length: 16 }, () => enter('198.51.100.1'))
    expect(enter('198.51.100.1')).toBeUndefined()
    for (const leave of leaves) leave?.()
    expect(Array.from({ length: 17 }, () => enter('198.51.100.1')).filter(Boolean)).toHaveLength(16)
  })
})

describe('one address', () => {
  let service: RunningService
  const opened = new Set<Socket>()
  afterEach(async () => {
    for (const socket of opened) socket.destroy()
    opened.clear()
    await service.close()
  })

  /** With half a request, and whatever is written to it. */
  function open(localAddress: string, text = 'GET /healthz HTTP/1.1\r\nhost: x\r\nx'): Socket {
    const socket = connect({
      host: '127.0.0.1',
      port: Number(new URL(service.address).port),
      localAddress,
    })
    opened.add(socket)
    socket
      .on('error', () => {})
      .on('close', () => opened.delete(socket))
      .resume()
    socket.write(text)
    return socket
  }

  const isAnswered = (localAddress: string) =>
    new Promise<boolean>((resolve) => {
      const socket = open(
        localAddress,
        'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      )
      socket.once('data', () => resolve(true))
      socket.once('close', () => resolve(false))
    })

  test('holds its share, opens no more, and leaves the rest to the others', async () => {
    service = await runService({ guard: { mostConnections: 40 } })
    for (let n = 0; n < 200; n++) open('127.0.0.1')
    await expect.poll(() => opened.size).toBe(16)
    expect(await isAnswered('127.0.0.1')).toBe(false)
    expect(await isAnswered('127.0.0.2')).toBe(true)
    for (const socket of opened) socket.destroy()
    await expect.poll(() => isAnswered('127.0.0.1')).toBe(true)
  })

  test('that holds more than its share by now is asked to close with the next answer', async () => {
    service = await runService({ guard: { mostConnections: 40 } })
    const answered = (socket: Socket) =>
      new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(String(bytes))))
    const get = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'
    const kept = open('127.0.0.1', get)
    expect(await answered(kept)).toMatch(/connection: keep-alive/i)
    for (let n = 0; n < 15; n++) open('127.0.0.1')
    for (let n = 0; n < 16; n++) open('127.0.0.2')
    await expect.poll(() => opened.size).toBe(28)
    kept.write(get)
    expect(await answered(kept)).toMatch(/connection: close/i)
  })

  test('that is a proxy of ours holds as many as there are at all', async () => {
    service = await runService({ guard: { mostConnections: 40, trustedProxies: ['127.0.0.1'] } })
    for (let n = 0; n < 60; n++) open('127.0.0.1')
    await expect.poll(() => opened.size).toBe(40)
    expect(await isAnswered('127.0.0.2')).toBe(false)
  })

  test('that is silent, or never ends its headers, has its connections back in time', async () => {
    service = await runService({
      guard: { mostConnections: 40 },
      timeouts: { headersTimeout: 300, requestTimeout: 1_000, connectionsCheckingInterval: 100 },
    })
    for (let n = 0; n < 16; n++) open('127.0.0.1', n % 2 ? '' : undefined)
    await expect.poll(() => opened.size, { timeout: 3_000 }).toBe(0)
    // They are ended here before the service has heard so.
    await expect.poll(async () => await isAnswered('127.0.0.1'), { timeout: 3_000 }).toBe(true)
  })
})
