/** The service as a whole: when its port opens, what it closes with it, and figures on a port of their own. */
import { createServer } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { runService, type ServiceParts } from '#src/http/run-service.ts'
import { anchorSet } from '#src/pki/anchor.ts'
import { proofCache } from '#src/rats/proof-cache.ts'
import { broughtOnly } from '#src/service/brought-endorsements.ts'
import { rotateKeys } from '#src/service/key-rotation.ts'
import { openChallengeKeys } from '#src/service/keys.ts'
import type { PolicySource } from '#src/service/policy-ports.ts'
import type { JournalEntry } from '#src/service/ports.ts'
import { AT, get } from './running-service.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** A source that the test lets look, and parts around it. `closed` lists what was ended, in order. */
function scene(change: Partial<ServiceParts> = {}) {
  const closed: string[] = []
  const journal: JournalEntry[] = []
  let looks = 0
  let go = () => {}
  const looked = new Promise<void>((resolve) => {
    go = resolve
  })
  const policy: PolicySource = {
    accepted: () => undefined,
    conditions: () => [{ name: 'Fetching', message: '', since: AT, commit: undefined }],
    async refresh() {
      looks++
      await looked
      closed.push('look')
    },
  }
  const store = memoryStore()
  const parts: ServiceParts = {
    host: '127.0.0.1',
    port: 0,
    metrics: { host: '127.0.0.1', port: 0 },
    publicUrl: (port) => `http://127.0.0.1:${port}`,
    explainRefusals: false,
    operators: [],
    archive: { policyOf: () => Promise.reject(new Error('none')) },
    selfTest: () => true,
    firstLookMs: 50,
    housekeeping: async () => {},
    release: async () => {
      closed.push('release')
    },
    keyEncryption: [keyEncryptionBySecret('file', new Uint8Array(32).fill(7))],
    proofs: proofCache(8),
    build: 'vouchsafe/test',
    random: { bytes: (size) => new Uint8Array(size).fill(1) },
    clock: { now: () => AT },
    journal: { record: (entry) => journal.push(entry) },
    store: {
      ...store,
      async close() {
        closed.push('store')
        await store.close()
      },
    },
    tenants: [
      {
        name: 'default',
        anchors: anchorSet([]),
        collect: broughtOnly,
        policy,
        pollSeconds: 3600,
        webhookSecret: undefined,
      },
    ],
    ...change,
  }
  return { parts, closed, journal, go, looks: () => looks }
}

describe('a repository that does not answer', () => {
  test('keeps the port closed for a while and not for ever; readiness says Fetching', async () => {
    const { parts, go, looks } = scene()
    const service = await runService(parts)
    const { status, json } = await get(`${service.address}/readyz`)
    expect(status).toBe(503)
    expect(json.checks).toContainEqual({ name: 'policy.default', ok: false, detail: 'Fetching' })
    expect(looks()).toBe(1)
    go()
    await service.close()
  })

  test('is waited for when the service closes, and everything else is closed after it', async () => {
    const { parts, closed, journal, go } = scene()
    const service = await runService(parts)
    const closing = service.close()
    await new Promise((done) => setTimeout(done, 100))
    expect(closed).toEqual([])
    await expect(fetch(`${service.address}/healthz`)).rejects.toThrow()
    go()
    await closing
    expect(closed).toEqual(['look', 'release', 'store'])
    expect(journal.map(({ event }) => event)).toEqual(['service.started', 'service.stopped'])
  })
})

test('a policy that comes at once is there when the port opens', async () => {
  const { parts, closed, go } = scene({ firstLookMs: 60_000 })
  go()
  const service = await runService(parts)
  expect(closed).toEqual(['look'])
  await service.close()
})

test('keys are not forgotten by a clock that was not watched for an hour', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    const { parts, go } = scene({ metrics: undefined })
    const clock = { at: new Date(AT.getTime() - 100 * DAY) }
    const { store } = parts
    const now = () => new Date(clock.at.getTime() + performance.now())
    const room = { ...parts, clock: { now } }
    const { keys } = await openChallengeKeys(room)
    const { id } = keys.issuing(now())
    await rotateKeys(room, { purposes: ['challenge'], by: 'otto' })
    clock.at = AT
    go()
    const service = await runService(room)
    const challengeKeys = async () => (await store.keysFor('challenge')).map(({ kid }) => kid)
    for (let tries = 0; (await challengeKeys()).length < 3; tries++) {
      expect(tries).toBeLessThan(100)
      await vi.advanceTimersByTimeAsync(MINUTE)
    }
    expect(await challengeKeys()).toContain(Buffer.from(id).toString('hex'))
    await vi.advanceTimersByTimeAsync(61 * MINUTE)
    await vi.waitFor(async () => expect(await challengeKeys()).toHaveLength(2))
    expect(await challengeKeys()).not.toContain(Buffer.from(id).toString('hex'))
    const closing = service.close()
    await vi.advanceTimersByTimeAsync(MINUTE)
    await closing
  } finally {
    vi.useRealTimers()
  }
})

describe('figures', () => {
  test('are on their own port', async () => {
    const { parts, go } = scene()
    go()
    const service = await runService(parts)
    const { metricsAddress = '' } = service
    expect(metricsAddress).not.toBe(service.address)
    const response = await fetch(`${metricsAddress}/metrics`)
    expect(await response.text()).toContain('vouchsafe_build_info{version="test"} 1\n')
    expect((await fetch(`${service.address}/metrics`)).status).toBe(404)
    expect((await fetch(`${metricsAddress}/readyz`)).status).toBe(404)
    await service.close()
    await expect(fetch(`${metricsAddress}/metrics`)).rejects.toThrow()
  })

  test('are nowhere unless the configuration says where', async () => {
    const { parts, go } = scene({ metrics: undefined })
    go()
    const service = await runService(parts)
    expect(service.metricsAddress).toBeUndefined()
    await service.close()
  })
})

test.each(['port', 'metrics'] as const)(
  'where the %s cannot be had, what was opened is closed again',
  async (which) => {
    const taken = createServer()
    await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', () => listening()))
    const address = taken.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const { parts, closed, go } = scene(
      which === 'port' ? { port } : { metrics: { host: '127.0.0.1', port } },
    )
    go()
    await expect(runService(parts)).rejects.toThrow('cannot listen on')
    expect(closed).toEqual(['look', 'release', 'store'])
    taken.close()
  },
)
