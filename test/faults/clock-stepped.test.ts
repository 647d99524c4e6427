/** The clock is set forward and back under a running service: nothing is issued twice, nothing young is forgotten, and it goes on when the clock is right. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { absent } from '#src/adapters/fetch-budget-absent.ts'
import { circuit } from '#src/adapters/fetch-budget-circuit.ts'
import { openPgliteStore } from '#src/adapters/pglite-store.ts'
import { rateLimitOfStrangers } from '#src/http/guard/rate-limits.ts'
import { openCheckpoint } from '#src/log/checkpoint.ts'
import type { TreeHead } from '#src/log/consistency.ts'
import { parseVerifierKey } from '#src/log/note-key.ts'
import { runHash } from '#src/log/subtree-hash.ts'
import { forgetUnlessStepped } from '#src/service/forget-unless-stepped.ts'
import type { Store } from '#src/service/ports.ts'
import { steadyClock } from '#src/service/steady-clock.ts'
import { claimsFor, openTokens, signedAttestation } from '../../enclave/attestation.ts'
import {
  AT,
  agentOf,
  attester,
  bearer,
  challenge,
  manifest,
  policyOf,
  post,
  type RunningService,
  runService,
} from '../http/running-service.ts'

const SECOND = 1_000
const HOUR = 3600 * SECOND
const DAY = 24 * HOUR
const YEAR = 365 * DAY

const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-clock-'))
let store: Store
let service: RunningService
beforeAll(async () => {
  store = await openPgliteStore(join(scratch, 'data'))
  service = await runService({ store })
})
afterAll(async () => {
  await service.close()
  await store.close()
  rmSync(scratch, { recursive: true, force: true })
})
beforeEach(() => set(0))

/** To so many milliseconds after what the clock says when it is right. */
function set(ms: number): void {
  service.clock.at = new Date(AT.getTime() + ms)
}

async function requestFor(nonce: string) {
  const { identity, keys } = await agentOf(service)
  const made = { service: service.url, keys, attester: attester() }
  return await signedAttestation(claimsFor(identity, keys, nonce), made)
}

async function send({ body, proof }: { readonly body: string; readonly proof: string }) {
  const headers = { 'attestation-proof': proof }
  return await post(`${service.url}/v1/attestations`, body, headers)
}

async function attest() {
  return await send(await requestFor(await challenge(service)))
}

async function tokenOf(json: unknown): Promise<string> {
  const { keys } = await agentOf(service)
  const [opened] = await openTokens(json, keys)
  return opened?.token ?? ''
}

async function isActive(token: string): Promise<boolean> {
  const asked = JSON.stringify({ token })
  return (await post(`${service.url}/v1/introspections`, asked, bearer('viewer'))).json.active
}

describe('a challenge', () => {
  test.each([
    ['forward for an hour', HOUR, 'challenge-expired'],
    ['back for an hour', -HOUR, 'challenge-expired'],
    ['back for ten years', -10 * YEAR, 'challenge-expired'],
    ['forward for ten years', 10 * YEAR, 'challenge-expired'],
    ['slewed by four seconds', 4 * SECOND, undefined],
    ['slewed back by four seconds', -4 * SECOND, undefined],
  ])('of before a clock that is set %s', async (_, ms, code) => {
    const request = await requestFor(await challenge(service))
    set(ms)
    const { status, json } = await send(request)
    expect([status, json.code]).toEqual(code === undefined ? [200, undefined] : [403, code])
    set(0)
    // Refused, it was not used up; answered, it was.
    expect((await send(request)).json.code).toBe(code === undefined ? 'challenge-used' : undefined)
  })
})

describe('a token', () => {
  test.each([
    ['within the hour', HOUR, 200],
    ['an hour before', -HOUR, 200],
    ['ten years before the policy began', -10 * YEAR, 403],
    ['after the policy ended', YEAR, 403],
  ])('asked for %s', async (_, ms, status) => {
    set(ms)
    const answer = await attest()
    expect(answer.status).toBe(status)
    expect(answer.json.tokens === undefined).toBe(status !== 200)
    set(0)
    expect((await attest()).status).toBe(200)
  })

  test('is good for its own time only, by whichever clock', async () => {
    const token = await tokenOf((await attest()).json)
    expect(await isActive(token)).toBe(true)
    for (const ms of [HOUR, 10 * YEAR, -HOUR, -10 * YEAR]) {
      set(ms)
      expect(await isActive(token)).toBe(false)
    }
  })

  test('that was revoked stays so', async () => {
    const { json } = await attest()
    const token = await tokenOf(json)
    const asked = JSON.stringify({ appraisal: json.id })
    expect((await post(`${service.url}/v1/revocations`, asked, bearer('operator'))).status).toBe(
      200,
    )
    for (const ms of [10 * YEAR, 0, -HOUR, 0]) {
      set(ms)
      for (const { name, run } of service.verifier.chores) if (name !== 'log') await run()
      expect(await isActive(token)).toBe(false)
    }
  })

  test('that a policy of a wrong hour took away is taken away when the clock is right', async () => {
    const token = await tokenOf((await attest()).json)
    await service.chores('reappraisal default')
    set(200 * DAY)
    await service.accept(
      await policyOf(
        manifest((text) => text.replaceAll('a1'.repeat(48), 'd4'.repeat(48))),
        { commit: 'd'.repeat(40) },
      ),
    )
    // No token lives at that time, so that nothing is found.
    await service.chores('reappraisal default')
    set(SECOND)
    expect(await isActive(token)).toBe(true)
    await service.chores('reappraisal default')
    expect(await isActive(token)).toBe(false)
    await service.accept(await policyOf(undefined, { commit: 'e'.repeat(40) }))
  })
})

describe('what is kept', () => {
  test('used challenges and revocations are not forgotten by a clock that jumped, and so neither is good again', async () => {
    let elapsed = 0
    const begun = { elapsedMs: () => elapsed, at: service.clock.at, newest: service.clock.at }
    const steady = steadyClock(begun)
    const parts = { store, clock: { now: () => service.clock.at }, steady }
    const told: unknown[] = []
    const housekeeping = async () => {
      elapsed += 60 * SECOND
      service.clock.at = new Date(service.clock.at.getTime() + 60 * SECOND)
      await forgetUnlessStepped({ ...parts, journal: { record: (entry) => told.push(entry) } })
    }
    for (let minute = 0; minute < 90; minute += 1) await housekeeping()
    const request = await requestFor(await challenge(service))
    const first = await send(request)
    expect(first.status).toBe(200)
    const revoked = (await attest()).json
    const asked = JSON.stringify({ appraisal: revoked.id })
    await post(`${service.url}/v1/revocations`, asked, bearer('operator'))
    const right = service.clock.at.getTime()
    service.clock.at = new Date(right + 10 * YEAR)
    for (let minute = 0; minute < 30; minute += 1) await housekeeping()
    service.clock.at = new Date(right + 60 * SECOND)
    await housekeeping()
    service.clock.at = new Date(right + 60 * SECOND)
    expect((await send(request)).json.code).toBe('challenge-used')
    expect(await isActive(await tokenOf(first.json))).toBe(true)
    expect((await store.findAppraisal(first.json.id))?.verdict).toBe('issued')
    const [{ status }] = revoked.tokens
    const list = await store.statusList(Number(status.uri.split('/').at(-1)), service.clock.at)
    expect(list?.revoked).toContain(status.index)
    expect(told).toMatchObject([
      { event: 'clock.stepped', fields: { seconds: (10 * YEAR) / SECOND } },
      { event: 'clock.stepped', fields: { seconds: expect.any(Number) } },
    ])
  })
})

describe('keys', () => {
  async function keysAfter(...steps: readonly number[]) {
    for (const ms of steps) {
      set(ms)
      // Twice: what is due once is not due again.
      for (let times = 0; times < 2; times += 1) await service.chores('keys')
    }
    return await store.allKeys()
  }

  test('are not rotated again and again by a clock that goes to and fro', async () => {
    const purpose = `possession:${service.simulated}`
    const ofPurpose = async () =>
      (await store.allKeys()).filter((key) => key.purpose === purpose).length
    const signer = async () => {
      const { json } = await attest()
      return Buffer.from((await tokenOf(json)).split('.')[0] ?? '', 'base64url').toString()
    }
    const before = await signer()
    const count = await ofPurpose()
    const toAndFro = Array.from({ length: 3 }, () => [40 * DAY, 0, -HOUR, 0]).flat()
    await keysAfter(...toAndFro)
    expect(await ofPurpose()).toBeLessThanOrEqual(count + 1)
    // The one that signed before signs again: what came of the wrong clock waits for its time.
    set(0)
    expect(await signer()).toBe(before)
    await keysAfter(...Array.from({ length: 3 }, () => [10 * YEAR, -10 * YEAR, 0]).flat())
    expect(await ofPurpose()).toBeLessThanOrEqual(count + 2)
    expect((await attest()).status).toBe(200)
  }, 90_000)
})

describe('the log', () => {
  test('only grows, and is continued, whatever the clock says', async () => {
    const key = { log: parseVerifierKey(await service.verifier.log.verifierKey()) }
    const seen: TreeHead[] = []
    for (const ms of [0, HOUR, -HOUR, 200 * DAY, 0, -100 * DAY, 3 * SECOND]) {
      set(ms)
      expect((await attest()).status).toBe(200)
      await service.chores('log')
      expect(service.verifier.log.fault()).toBeUndefined()
      const head = await store.logHead()
      seen.push(openCheckpoint(head?.checkpoint ?? '', key))
    }
    const sizes = seen.map(({ size }) => size)
    expect(sizes).toEqual([...new Set(sizes)].toSorted((a, b) => a - b))
    for (const { size, root } of seen)
      expect(Buffer.from(await runHash(store.logTile, { start: 0, end: size }))).toEqual(
        Buffer.from(root),
      )
  })
})

describe('a clock that was set back by ten years', () => {
  const now = new Date(AT)
  const before = new Date(AT.getTime() - 10 * YEAR)

  test('keeps no vendor from being asked', () => {
    const host = circuit(() => 0.5)
    host.failed(now, 3600)
    expect(host.secondsClosed(now)).toBe(3600)
    expect(host.secondsClosed(before)).toBe(0)
    const missing = absent({ seconds: 600, most: 8 })
    missing.remember('chip', now)
    expect(missing.secondsLeft('chip', now)).toBe(600)
    expect(missing.secondsLeft('chip', before)).toBe(0)
  })

  test('sends no caller away for ten years', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now })
    try {
      const limit = rateLimitOfStrangers({ name: 'test', most: 1, windowSeconds: 10 })
      await limit.draw('caller')
      vi.setSystemTime(before)
      expect(await limit.draw('caller')).toMatchObject({ isWithin: false, resetSeconds: 10 })
    } finally {
      vi.useRealTimers()
    }
  })
})
