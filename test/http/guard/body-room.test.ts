/** Bodies that never end: how much one sender holds, and whether everybody else still gets in. Also over sockets. */
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { type BodyShare, bodyRoom } from '#src/http/guard/body-room.ts'
import { bearer, post, type RunningService, runService } from '../running-service.ts'

/** As many single bytes as there is room for. */
function fill(share: BodyShare): number {
  for (let taken = 0; taken < 10_000; taken++)
    try {
      share.take(1)
    } catch {
      return taken
    }
  throw new Error('there is no bound')
}

describe('a sender', () => {
  test('holds a sixteenth, in one body or in many', () => {
    const room = bodyRoom(1600)
    const [one, two] = [room.open('a'), room.open('a')]
    one.take(60)
    expect(() => two.take(41)).toThrow('overloaded')
    two.take(40)
    expect(() => two.take(1)).toThrow('overloaded')
    room.open('b').take(90)
  })

  test('gives back what each of its bodies took, once', () => {
    const room = bodyRoom(1600)
    const [one, two] = [room.open('a'), room.open('a')]
    one.take(60)
    two.take(40)
    one.close()
    one.close()
    expect(fill(two)).toBe(60)
    two.close()
    expect(fill(room.open('a'))).toBe(100)
  })

  test('has less where many others have much, and never nothing', () => {
    const room = bodyRoom(16_000)
    const held = Array.from({ length: 64 }, (_, n) => fill(room.open(`${n}`)))
    expect(held[0]).toBe(1000)
    expect(held.at(-1)).toBeGreaterThan(10)
    expect(held.reduce((sum, each) => sum + each, 0)).toBeLessThan(16_000)
  })
})

describe('one caller with bodies that never end', () => {
  let service: RunningService
  const held: Socket[] = []
  afterEach(async () => {
    for (const socket of held.splice(0)) socket.destroy()
    await service.close()
  })

  const as = (caller: string) => ({ 'x-forwarded-for': caller })
  const challenge = (caller: string) => post(`${service.url}/v1/challenges`, '{}', as(caller))
  const status = async (caller: string) => (await challenge(caller)).status

  /** All but the last byte of a body of 1 KiB. */
  function hold(caller: string): void {
    const socket = connect(Number(new URL(service.address).port), '127.0.0.1')
    socket.on('error', () => {})
    socket.write(
      `POST /v1/appraisals HTTP/1.1\r\nhost: x\r\nx-forwarded-for: ${caller}\r\ncontent-type: application/json\r\ncontent-length: 1024\r\n\r\n${' '.repeat(1023)}`,
    )
    held.push(socket)
  }

  test('keeps out neither other callers nor operators, not even those at its address', async () => {
    service = await runService({
      guard: { trustedProxies: ['127.0.0.1'] },
      bodies: bodyRoom(16 * 1024),
    })
    for (let n = 0; n < 40; n++) hold('192.0.2.1')
    // One of them is held, and the last byte but one of a kibibyte is free.
    await expect.poll(() => status('192.0.2.1')).toBe(503)
    expect((await challenge('192.0.2.1')).json.code).toBe('overloaded')
    expect(await status('192.0.2.2')).toBe(200)
    const revocation = {
      tenant: 'default',
      agent: { environment: 'prod', agent: 'invoice-bot' },
      detail: 'stolen',
    }
    const revoked = await post(`${service.url}/v1/revocations`, JSON.stringify(revocation), {
      ...as('192.0.2.1'),
      ...bearer('operator'),
    })
    expect(revoked.status).toBe(200)
    for (const socket of held) socket.destroy()
    await expect.poll(() => status('192.0.2.1')).toBe(200)
  })
})
