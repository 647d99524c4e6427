/** The host of an agent owns its network, TLS that was broken included, and wants a secret used for longer than the service allows. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { agent, serviceWithSecrets } from '../enclave/release-scene.ts'
import { AT, type RunningService } from '../http/running-service.ts'

let service: RunningService
beforeAll(async () => {
  service = await serviceWithSecrets()
}, 30_000)
afterAll(() => service.close())
beforeEach(() => {
  service.clock.at = AT
})

const FOR_EVER = { expiresAt: '2099-01-01T00:00:00.000Z', renewBy: '2098-01-01T00:00:00.000Z' }

describe('a lease', () => {
  test('is what the issuer signed, whatever stands beside it', async () => {
    const { client, network } = await agent(service)
    network.change(/releases$/, (answer) => ({ ...answer, lease: FOR_EVER }))
    const { lease } = await client.release('secret:db-ro')
    expect(lease.seconds).toBeLessThanOrEqual(60)
    network.letBe()
    network.change(/releases$/, ({ lease: _, ...answer }) => answer)
    expect((await client.release('secret:db-ro')).lease.seconds).toBeGreaterThan(50)
  })

  test('and its leaf of the log are nobody else’s to say', async () => {
    const { client, network } = await agent(service)
    let leaf = ''
    network.change(/releases$/, (answer) => {
      leaf = answer.logLeaf
      return { ...answer, logLeaf: '00'.repeat(32), release: 'another' }
    })
    const released = await client.release('secret:db-ro')
    expect(released.logLeaf).toBe(leaf)
    expect(released.release).not.toBe('another')
  })
})

describe('a renewal ends the lease where it is', () => {
  const renewing = async () => {
    const scene = await agent(service)
    const released = await scene.client.release('secret:db-ro')
    return { ...scene, released, lease: scene.client.openLease(released) }
  }
  type Renewing = Awaited<ReturnType<typeof renewing>>

  const refused = async ({ lease, released }: Renewing, says: string) => {
    await expect(lease.renew()).rejects.toMatchObject({
      name: 'LeaseEnded',
      end: 'refused',
      cause: { name: 'AnswerDistrusted', message: expect.stringContaining(says) },
    })
    expect(lease.signal.aborted).toBe(true)
    expect([...released.secret].every((byte) => byte === 0)).toBe(true)
  }

  test('made up: without a word of the issuer', async () => {
    const scene = await renewing()
    scene.network.change(/renewals/, ({ release }) => ({ release, lease: FOR_EVER }))
    await refused(scene, 'not what a service answers')
  })

  test('kept from an earlier question', async () => {
    const scene = await renewing()
    let kept: unknown
    scene.network.change(/renewals/, (answer) => {
      kept ??= answer
      return kept
    })
    await scene.lease.renew()
    await refused(scene, 'its proof is ')
  })

  test('of another release', async () => {
    const scene = await renewing()
    const other = await scene.client.release('secret:other')
    // The host sends the question to another place; the proof names the one, and the service refuses.
    scene.network.move(scene.released.release, other.release)
    await expect(scene.lease.renew()).rejects.toMatchObject({ name: 'LeaseEnded', end: 'refused' })
  })

  test('replaced by the envelope of a release, which the same key signed', async () => {
    const scene = await renewing()
    let envelope = ''
    scene.network.change(/releases$/, (answer) => {
      envelope = answer.envelope
      return answer
    })
    await scene.client.release('secret:db-ro')
    scene.network.change(/renewals/, (answer) => ({ ...answer, statement: envelope }))
    await refused(scene, 'no key of the pinned issuer signed it')
  })

  test('for another agent', async () => {
    const theirs = await renewing()
    let statement = ''
    theirs.network.change(/renewals/, (answer) => {
      statement = answer.statement
      return answer
    })
    await theirs.lease.renew()
    const scene = await renewing()
    scene.network.change(/renewals/, (answer) => ({ ...answer, statement }))
    await refused(scene, 'its release is ')
  })
})

test('a renewal that comes after the end of the lease renews nothing, and does not say that it did', async () => {
  const { client, network } = await agent(service)
  const lease = client.openLease(await client.release('secret:db-ro'))
  network.change(/renewals/, (answer) => {
    lease.close()
    return answer
  })
  await expect(lease.renew()).rejects.toMatchObject({ name: 'LeaseEnded' })
})
