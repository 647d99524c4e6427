/** Does an agent open what the pinned issuer sealed for this very request, and nothing else? */
import { createCipheriv, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ENVELOPE_KEY_USE } from '#src/seal/release-envelope.ts'
import type { ServiceRefusal } from '../../enclave/client/faults.ts'
import {
  AT,
  attester,
  bearer,
  post,
  type RunningService,
  runService,
} from '../http/running-service.ts'
import { broken, refusal } from './faulty-network.ts'
import { agent, put, releasing, SECRET, serviceWithSecrets, textOf } from './release-scene.ts'

let service: RunningService
let other: RunningService
beforeAll(async () => {
  ;[service, other] = await Promise.all([serviceWithSecrets(), serviceWithSecrets()])
})
afterAll(async () => {
  await Promise.all([service.close(), other.close()])
})
beforeEach(() => {
  service.clock.at = AT
})
describe('a secret', () => {
  test('comes to the attested key, with its lease', async () => {
    const { client } = await agent(service)
    const released = await client.release('secret:db-ro')
    expect(textOf(released)).toBe(SECRET)
    expect(released).toMatchObject({ resource: 'secret:db-ro', version: 2 })
    expect(released.lease.seconds).toBeGreaterThan(55)
    expect(released.lease.seconds).toBeLessThanOrEqual(60)
    expect(released.logLeaf).toMatch(/^[0-9a-f]{64}$/)
    released.wipe()
    expect([...released.secret].every((byte) => byte === 0)).toBe(true)
  })

  test('of an older version comes when it is named, and not when it is too old', async () => {
    const { client } = await agent(service)
    expect(textOf(await client.release('secret:db-ro', { version: 1 }))).toBe(`${SECRET}, before`)
    await expect(
      client.release('secret:db-ro', { version: 1, minimumVersion: 2 }),
    ).rejects.toMatchObject({ name: expect.stringMatching(/Refusal|Distrusted/) })
    await expect(client.release('secret:db-ro', { minimumVersion: 3 })).rejects.toMatchObject({
      name: 'ServiceRefusal',
    })
  })

  test('that no rule names is refused', async () => {
    const { client } = await agent(service)
    await expect(client.release('secret:unnamed')).rejects.toMatchObject({ status: 403 })
  })

  test('comes although the agent’s clock is a day off, since the service’s own words date its proofs', async () => {
    const { client, clock } = await agent(service)
    clock.skewMs = 86_400_000
    await client.tokens()
    expect(textOf(await client.release('secret:db-ro'))).toBe(SECRET)
  })

  test('comes although the service lost everything but its secrets meanwhile', async () => {
    const before = await runService()
    before.policy.current = await releasing(before)
    const { client, network } = await agent(before)
    await client.tokens()
    await before.close()
    // Another service with other keys answers at the address now, as after a restart without its database.
    const after = await runService({ policy: before.policy.current, publicUrl: before.url })
    await put({ ...after, url: after.address }, 'secret:db-ro', SECRET)
    network.move(before.url, after.address)
    expect(textOf(await client.release('secret:db-ro'))).toBe(SECRET)
    await after.close()
  })

  test('is asked for again after 503, with a new proof each time', async () => {
    const { client, network, clock } = await agent(service)
    await client.tokens()
    network.next(/releases/, refusal(503, 'storage-unavailable', { 'retry-after': '2' }))
    // Arrived, and its answer did not: its proof is used up.
    network.next(/releases/, async (pass) => {
      expect((await pass()).status).toBe(200)
      return await broken()
    })
    expect(textOf(await client.release('secret:db-ro'))).toBe(SECRET)
    expect(clock.waited.filter((ms) => ms >= 2_000 && ms < 3_000)).toHaveLength(1)
  })
})

describe('a key that never leaves', () => {
  test('decrypts for the agent, and is not released', async () => {
    const key = randomBytes(32)
    await put(service, 'secret:kept', key, { use: 'decrypt' })
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', key, iv)
    const sealed = Buffer.concat([cipher.update(SECRET), cipher.final()])
    const input = Buffer.concat([iv, cipher.getAuthTag(), sealed])
    const { client, network } = await agent(service)
    const plain = await client.operate('secret:kept', 'decrypt', input)
    expect(Buffer.from(plain).toString()).toBe(SECRET)
    await expect(client.release('secret:kept')).rejects.toMatchObject({
      code: 'release-use-refused',
    })
    // What another question was answered with is no answer to this one.
    let kept: unknown
    network.change(/operations/, (answer) => {
      const before = kept ?? answer
      kept = answer
      return before
    })
    await client.operate('secret:kept', 'decrypt', input)
    await expect(client.operate('secret:kept', 'decrypt', input)).rejects.toThrow('its proof is ')
  })
})

describe('a secret that operators must agree to', () => {
  test('is refused with what they are to agree to, and comes once they did', async () => {
    await put(service, 'secret:two', SECRET, { approvals: 1 })
    const { client } = await agent(service)
    const fault = await client.release('secret:two').catch((thrown: unknown) => thrown)
    expect(fault).toMatchObject({ code: 'release-approval-needed', status: 403 })
    const { approval } = fault as ServiceRefusal
    const address = `${service.url}/v1/release-approvals/${approval}`
    expect((await post(address, '{}', bearer('other-secret-admin'))).status).toBe(200)
    expect(textOf(await client.release('secret:two'))).toBe(SECRET)
  })
})

describe('what is not opened', () => {
  test.each<[string, string, (answer: Answered, theirs: Answered) => unknown]>([
    ['an envelope that another service signed', 'no key of the pinned issuer signed it', swapped],
    [
      'one whose signer publishes his key under a kid of ours',
      'no key of the pinned issuer signed it',
      (_, theirs) => theirs,
    ],
    [
      'an envelope with another ciphertext',
      'no key of the pinned issuer signed it',
      (answer) => ({ ...answer, envelope: tampered(answer.envelope) }),
    ],
    ['no envelope at all', 'not what a service answers', () => ({})],
  ])('%s', async (_, says, change) => {
    const theirs = await answeredBy(other)
    const { client, network } = await agent(service)
    network.change(/releases$/, (answer) => change(answer, theirs))
    await expect(client.release('secret:db-ro')).rejects.toMatchObject({
      name: 'AnswerDistrusted',
      message: expect.stringContaining(says),
    })
  })

  test('the envelope of another request: earlier, or for another resource, or of another version', async () => {
    const { client, network } = await agent(service)
    const kept: Answered[] = []
    network.change(/releases$/, (answer) => {
      kept.push(answer)
      return answer
    })
    await client.release('secret:db-ro')
    await client.release('secret:other')
    network.letBe()
    network.change(/releases$/, () => kept[0])
    await expect(client.release('secret:db-ro')).rejects.toThrow('its proof is ')
    network.letBe()
    network.change(/releases$/, () => kept[1])
    await expect(client.release('secret:db-ro')).rejects.toThrow('its resource is secret:other')
  })

  test('and whoever makes up key after key has us ask for ours once', async () => {
    const theirs = await answeredBy(other)
    const { client, network } = await agent(service)
    network.change(/releases$/, (answer) => swapped(answer, theirs))
    for (let times = 0; times < 4; times++)
      await expect(client.release('secret:db-ro')).rejects.toMatchObject({
        name: 'AnswerDistrusted',
      })
    expect(network.asked.filter((each) => each.includes('jwks'))).toHaveLength(2)
  })

  test('what a key for tokens signed', async () => {
    const { client, network } = await agent(service)
    network.change(/jwks/, ({ keys }: { keys: { use: string }[] }) => ({
      keys: keys.map((key) => (key.use === ENVELOPE_KEY_USE ? { ...key, use: 'sig' } : key)),
    }))
    await expect(client.release('secret:db-ro')).rejects.toThrow('no key of the pinned issuer')
  })

  test('and no fault of it has the secret, a token or a key in its words', async () => {
    const { client, network } = await agent(service)
    const { possession } = await client.tokens()
    const faults: unknown[] = []
    const failing = async () => await client.release('secret:db-ro').catch((e) => faults.push(e))
    network.change(/releases$/, ({ envelope: _, ...answer }) => answer)
    await failing()
    network.letBe()
    network.change(/releases$/, (answer) => ({ ...answer, envelope: tampered(answer.envelope) }))
    await failing()
    network.next(/releases$/, refusal(403, 'release-refused'))
    await failing()
    expect(faults).toHaveLength(3)
    const told = faults.map((fault) => inspected(fault)).join('\n')
    for (const hidden of [SECRET, possession.token.slice(-40), 'PRIVATE'])
      expect(told).not.toContain(hidden)
  })
})

describe('another agent', () => {
  test('has no way to it with a stolen answer: it is sealed to a key', async () => {
    const theirs = await answeredBy(service)
    const { client, network } = await agent(service)
    network.change(/releases$/, () => theirs)
    await expect(client.release('secret:db-ro')).rejects.toMatchObject({ name: 'AnswerDistrusted' })
  })

  test('that is tampered with is refused before it can ask', async () => {
    const { client } = await agent(service, { attester: attester(new Uint8Array(48).fill(0xee)) })
    await expect(client.release('secret:db-ro')).rejects.toMatchObject({
      code: 'evidence-rejected',
    })
  })
})

interface Answered {
  readonly envelope: string
  readonly lease?: unknown
}

/** Of another agent, with other keys. */
async function answeredBy(at: RunningService): Promise<Answered> {
  let answered: Answered | undefined
  const { client, network } = await agent(at)
  network.change(/releases$/, (answer) => {
    answered = answer
    return answer
  })
  await client.release('secret:db-ro')
  if (!answered) throw new Error('nothing was released')
  return answered
}

/** Their signature over what the agent would have been told: only the signer differs. */
function swapped(answer: Answered, theirs: Answered): Answered {
  return { ...answer, envelope: theirs.envelope }
}

function tampered(envelope: string): string {
  const [header, payload = '', signature] = envelope.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  claims.hpke.ct = Buffer.alloc(40).toString('base64url')
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.')
}

function inspected(fault: unknown): string {
  if (!(fault instanceof Error)) return String(fault)
  return `${fault.stack}${JSON.stringify(fault)}${inspected(fault.cause)}`
}
