/** Does an agent stop using a secret when it must, and go on while it may? */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LeaseEnded } from '../../enclave/client/lease.ts'
import { AT, manifest, policyOf, type RunningService } from '../http/running-service.ts'
import { refusal } from './faulty-network.ts'
import { agent, releasing, SECRET, serviceWithSecrets, textOf } from './release-scene.ts'

let service: RunningService
beforeAll(async () => {
  service = await serviceWithSecrets()
})
afterAll(() => service.close())
beforeEach(() => {
  service.clock.at = AT
})
afterEach(async () => {
  await service.accept(await releasing(service))
})

describe('a lease', () => {
  test('is renewed before it ends, for as long as the agent may', async () => {
    const { client, clock, network } = await agent(service)
    const released = await client.release('secret:db-ro')
    const { signal, close } = client.openLease(released)
    for (let step = 0; step < 9; step++) await passing(clock, 10_000)
    expect(signal.aborted).toBe(false)
    expect(network.asked.filter((each) => each.includes('renewals')).length).toBeGreaterThan(1)
    expect(textOf(released)).toBe(SECRET)
    close()
    expect(signal.reason).toMatchObject({ end: 'closed' })
    expect(textOf(released)).not.toContain(SECRET)
  })

  test('ends at once when the agent is not approved any more', async () => {
    const { client, clock } = await agent(service)
    const released = await client.release('secret:db-ro')
    const { signal } = client.openLease(released)
    const ended = new Promise((resolve) => signal.addEventListener('abort', resolve))
    await service.accept(
      await policyOf(
        manifest((text) => text.replace('a1'.repeat(48), 'd4'.repeat(48))),
        { commit: 'e'.repeat(40) },
      ),
    )
    for (let step = 0; step < 5 && !signal.aborted; step++) await passing(clock, 10_000)
    await ended
    expect(signal.reason).toBeInstanceOf(LeaseEnded)
    expect(signal.reason).toMatchObject({ end: 'refused', cause: { name: 'ServiceRefusal' } })
    expect([...released.secret].every((byte) => byte === 0)).toBe(true)
  })

  test('lapses when nobody answers, and the secret is gone', async () => {
    const { client, clock, network } = await agent(service)
    const released = await client.release('secret:db-ro')
    const { signal } = client.openLease(released)
    network.down(/renewals/)
    for (let step = 0; step < 8 && !signal.aborted; step++) await passing(clock, 10_000)
    expect(signal.reason).toMatchObject({ end: 'lapsed' })
    expect([...released.secret].every((byte) => byte === 0)).toBe(true)
  })

  test('lapses in a guest that stood still, as soon as it goes on', async () => {
    const { client, clock } = await agent(service)
    const { signal } = client.openLease(await client.release('secret:db-ro'))
    clock.skewMs = 3_600_000
    await clock.pass(5_000)
    expect(signal.reason).toMatchObject({ end: 'lapsed' })
  })

  test('is never longer than the agent’s own configuration allows', async () => {
    const { client, clock, network } = await agent(service, { longestLeaseSeconds: 20 })
    const { signal } = client.openLease(await client.release('secret:db-ro'))
    for (let step = 0; step < 10; step++) await passing(clock, 5_000)
    expect(signal.aborted).toBe(false)
    network.down(/renewals/)
    for (let step = 0; step < 5; step++) await passing(clock, 5_000)
    expect(signal.reason).toMatchObject({ end: 'lapsed' })
  })
})

describe('before something that cannot be taken back', () => {
  test('the lease is renewed at once, or it is over', async () => {
    const { client, network } = await agent(service)
    const { signal, renew } = client.openLease(await client.release('secret:db-ro'))
    await renew()
    expect(network.asked.at(-1)).toMatch(/renewals$/)
    network.next(/renewals/, refusal(403, 'release-refused'))
    await expect(renew()).rejects.toMatchObject({ name: 'LeaseEnded', end: 'refused' })
    expect(signal.aborted).toBe(true)
    await expect(renew()).rejects.toMatchObject({ name: 'LeaseEnded' })
  })

  test('a service that is away leaves the lease as it was', async () => {
    const { client, network, clock } = await agent(service)
    const { signal, renew } = client.openLease(await client.release('secret:db-ro'))
    network.down(/renewals/)
    const failing = expect(renew()).rejects.toMatchObject({ name: 'ServiceUnreachable' })
    await clock.pass(10_000)
    await failing
    expect(signal.aborted).toBe(false)
  })
})

/** On both sides. */
async function passing(clock: { pass: (ms: number) => Promise<void> }, ms: number) {
  service.clock.at = new Date(service.clock.at.getTime() + ms)
  await clock.pass(ms)
}
