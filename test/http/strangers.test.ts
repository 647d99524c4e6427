/** What may a stranger leave behind? Evidence costs nothing to make up, and a recorded quote is anybody's: neither fills the database, nor is any of it lost on whoever asks why. */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { guardDefaults } from '#src/config/guard-settings.ts'
import { explainedResponse } from '#src/http/appraisal-responses.ts'
import type { RecordedAttestation, Store } from '#src/service/ports.ts'
import { diffPolicies } from '#src/service/reappraise.ts'
import { type AttemptRequest, attestAt } from './attempt.ts'
import {
  attester,
  bearer,
  get,
  manifest,
  policyOf,
  type RunningService,
  runService,
} from './running-service.ts'

const kept: RecordedAttestation[] = []
let service: RunningService
beforeAll(async () => {
  const memory = memoryStore()
  const store: Store = {
    ...memory,
    async recordAttestation(attestation) {
      kept.push(attestation)
      return await memory.recordAttestation(attestation)
    },
  }
  service = await runService({ store })
})
afterAll(() => service.close())

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const noise = { auxblob: base64(randomBytes(64_000)), eventLog: base64(randomBytes(250_000)) }
type Body = Record<string, unknown>

/** Version 2 of a report, and nothing else that is right. */
const madeUp = (body: Body): Body => {
  const quote = randomBytes(48_000)
  quote[0] = 2
  return { ...body, tee: 'sev-snp', evidence: { quote: base64(quote), ...noise } }
}
const badlySigned = (body: Body): Body => {
  const { quote, ...rest } = body.evidence as { readonly quote: string }
  const bytes = Buffer.from(quote, 'base64')
  bytes[0x2a0] = (bytes[0x2a0] ?? 0) ^ 1
  return { ...body, evidence: { ...rest, quote: base64(bytes), eventLog: noise.eventLog } }
}
const beside = (body: Body): Body => ({
  ...body,
  evidence: { ...(body.evidence as object), eventLog: noise.eventLog },
})
/** As somebody has it who saw an agent's evidence pass. */
const { attest, endorsements } = attester()
const recorded = { attest: () => attest(new Uint8Array(64).fill(9)), endorsements }

/** More than ever was sent of what is not kept: the record, its leaf, and its findings. */
const MOST_BYTES = 12_000

describe.each<[string, AttemptRequest, string]>([
  ['evidence that is made up', { body: madeUp }, 'snp.report.length'],
  ['evidence that nobody signed', { body: badlySigned }, 'snp.report.signature'],
  [
    'a recorded quote, which is bound to another request',
    { attester: recorded, body: beside },
    'binding.report-data',
  ],
])('of %s', (_, attempt, failing) => {
  test('the record is kept, and none of the bytes', async () => {
    let sent: { readonly evidence: { readonly quote: string } } | undefined
    const { status, json } = await attestAt(service, {
      ...attempt,
      sent: (each) => {
        sent = JSON.parse(each.body)
        return each
      },
    })
    expect(status).toBe(403)
    expect(json.failing).toContain(failing)
    const last = kept.at(-1)
    expect(last?.appraisal).toMatchObject({ id: json.appraisal, evidence: undefined })
    expect(last?.endorsements).toBeUndefined()
    expect(JSON.stringify({ ...last, leaf: undefined }).length).toBeLessThan(MOST_BYTES)
    // What was sent can still be recognized.
    const body = JSON.parse(new TextDecoder().decode(last?.leaf.record))
    const quote = Buffer.from(sent?.evidence.quote ?? '', 'base64')
    expect(body.evidence.quote).toBe(createHash('sha256').update(quote).digest('hex'))
  })

  test('operators are told why it was refused, and of no digest of nothing', async () => {
    const { json } = await attestAt(service, attempt)
    const told = await get(`${service.url}/v1/appraisals/${json.appraisal}`, bearer('viewer'))
    expect(told.status).toBe(200)
    expect(explainedResponse.parse(told.json)).toMatchObject({
      refusal: { failing: expect.arrayContaining([failing]) },
      evidence: { sha256: null, bytes: null },
    })
  })

  test('any number hides nothing of what a policy would change', async () => {
    const mine = await runService()
    try {
      expect((await attestAt(mine)).status).toBe(200)
      const from = mine.policy.current
      const tenant = mine.verifier.tenants.get('default')
      if (!from || !tenant) throw new Error('no policy')
      const to = await policyOf(
        manifest((text) => text.replace('a1'.repeat(48), 'c3'.repeat(48))),
        { commit: 'd'.repeat(40) },
      )
      for (let n = 0; n < 10; n++) {
        mine.clock.at = new Date(mine.clock.at.getTime() + 10)
        await attestAt(mine, attempt)
      }
      const { verifier, clock } = mine
      const since = new Date(0)
      const request = { verifier, tenant, from, to, since, at: clock.at, most: 5 }
      expect(await diffPolicies(request)).toMatchObject({ examined: 1, changed: 1 })
    } finally {
      await mine.close()
    }
  })
})

test('evidence that proves nothing costs its sender twenty attestations more, and what is merely refused does not', async () => {
  const rateLimits = { ...guardDefaults.rateLimits, attestations: 50 }
  const mine = await runService({ guard: { rateLimits } })
  const other = { attester: attester(new Uint8Array(48).fill(0xee)) }
  try {
    const statuses = []
    for (const attempt of [
      other,
      other,
      { body: madeUp },
      other,
      { body: badlySigned },
      other,
      other,
    ])
      statuses.push((await attestAt(mine, attempt)).status)
    // 2, then 23, 24, 45, 46, 47 of 50.
    expect(statuses).toEqual([403, 403, 403, 403, 403, 403, 403])
    expect((await attestAt(mine, { attester: recorded })).status).toBe(403)
    expect((await attestAt(mine, other)).status).toBe(429)
  } finally {
    await mine.close()
  }
})

test('authentic evidence that is bound to its request is kept whole, though it is refused', async () => {
  const other = attester(new Uint8Array(48).fill(0xee))
  const { status } = await attestAt(service, { attester: other })
  expect(status).toBe(403)
  expect(kept.at(-1)?.appraisal.evidence?.quote).toHaveLength(1184)
  expect(kept.at(-1)?.endorsements).toBeDefined()
})
