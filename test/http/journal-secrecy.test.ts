/**
 * Does the log stay free of what was sent and issued? Attestations go through the whole service, good, refused and failing,
 * and every line that comes of it is searched for pieces of evidence, challenges, proofs, tokens and keys.
 */
import { DrizzleQueryError } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { pinoJournal } from '#src/adapters/pino-journal.ts'
import type { RecordedAttestation, Store } from '#src/service/ports.ts'
import { attestAt } from './attempt.ts'
import {
  attester,
  bearer,
  challenge,
  get,
  post,
  type RunningService,
  runService,
} from './running-service.ts'

/** Of whatever could be a secret, in the forms in which it could stand in a line; short pieces, since a line may cut it off. */
function formsOf(secret: string | Uint8Array): readonly string[] {
  const bytes = Buffer.from(secret)
  const texts = [
    ...(typeof secret === 'string' ? [secret] : []),
    bytes.toString('hex'),
    bytes.toString('base64'),
    bytes.toString('base64url'),
  ]
  return texts.flatMap((text) => {
    const middle = Math.floor(text.length / 2)
    return [text.slice(0, 20), text.slice(middle, middle + 20), text.slice(-20)]
  })
}

let service: RunningService
const secrets: (string | Uint8Array)[] = []
const kept: RecordedAttestation[] = []
let fails = false

beforeAll(async () => {
  const memory = memoryStore()
  const store: Store = {
    ...memory,
    async recordAttestation(attestation) {
      kept.push(attestation)
      const { appraisal, challenge: used } = attestation
      // What drizzle throws, with everything that was to be written.
      if (fails)
        throw new DrizzleQueryError('insert into appraisals values ($1, $2)', [
          used.id,
          Buffer.from(appraisal.evidence?.quote ?? []).toString('hex'),
          JSON.stringify(appraisal.runtimeClaims),
        ])
      return await memory.recordAttestation(attestation)
    },
  }
  service = await runService({ store })
  const sent = (each: { body: string; proof: string }) => {
    secrets.push(each.proof)
    const { quote, evidence } = JSON.parse(each.body)
    for (const value of Object.values({ ...evidence, quote }))
      if (typeof value === 'string' && value.length >= 24) secrets.push(value)
    return each
  }
  const nonce = await challenge(service)
  secrets.push(nonce)
  const issued = await attestAt(service, { claims: { nonce }, sent })
  expect(issued.status).toBe(200)
  for (const { token } of issued.json.tokens) secrets.push(...String(token).split('.'))
  await attestAt(service, { claims: { nonce }, sent })
  const refused = await attestAt(service, {
    attester: attester(new Uint8Array(48).fill(0xee)),
    sent,
  })
  expect(refused.status).toBe(403)
  fails = true
  const failed = await attestAt(service, { sent })
  expect(failed.status).toBeGreaterThanOrEqual(500)
  await post(`${service.url}/v1/attestations`, '{"nonce": "a-secret-that-is-no-json')
  secrets.push('a-secret-that-is-no-json')
  await get(`${service.url}/v1/policies`, bearer('enforcer'))
  await get(`${service.url}/v1/policies`, { authorization: 'Bearer wrong-token-of-somebody' })
  secrets.push('wrong-token-of-somebody', bearer('enforcer').authorization?.slice(7) ?? '')
  for (const { challenge: used, appraisal } of kept)
    secrets.push(
      used.id,
      appraisal.evidence?.quote ?? 'refused-for-what-it-is',
      ...Object.values(appraisal.runtimeClaims).filter((value) => value.length >= 40),
    )
}, 60_000)
afterAll(() => service.close())

const linesOf = () => {
  const lines: string[] = []
  const journal = pinoJournal({ level: 'info', to: { write: (line) => lines.push(line) } })
  for (const entry of service.journal) journal.record(entry)
  return lines
}

describe('the log of attestations', () => {
  test('tells of each: issued, refused, refused as a request, failed', () => {
    const events = linesOf().map((line) => JSON.parse(line).event)
    expect(events).toEqual(
      expect.arrayContaining([
        'attestation.issued',
        'attestation.refused',
        'request.refused',
        'request.failed',
      ]),
    )
    for (const line of linesOf()) {
      const { level, time, event, requestId } = JSON.parse(line)
      expect([level, time, event]).toEqual([
        expect.any(String),
        expect.any(String),
        expect.any(String),
      ])
      if (event !== 'policy.accepted') expect(requestId).toMatch(/^[A-Za-z0-9_-]{16}$/)
    }
  })

  test('holds no piece of evidence, challenge, proof, token or key', () => {
    const text = linesOf().join('')
    expect(secrets.length).toBeGreaterThan(15)
    const found = secrets
      .flatMap(formsOf)
      .filter((piece) => piece.length >= 12 && text.includes(piece))
    expect(found).toEqual([])
  })
})
