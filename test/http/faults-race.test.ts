/** One challenge, a thousand who bring it at once: one token, and 999 who hear that it was used. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimsFor, signedAttestation } from '../../enclave/attestation.ts'
import {
  agentOf,
  attester,
  bearer,
  challenge,
  get,
  post,
  type RunningService,
  runService,
} from './running-service.ts'

const RACERS = 1_000

let service: RunningService
beforeAll(async () => {
  // Everybody is let in: it is the store that must let only one win.
  service = await runService({
    guard: {
      admission: { mostInFlight: 10_000, mostWaiting: 10_000, mostLoopDelayMs: 10_000 },
      // An address may have an eighth.
      mostConnections: 16 * RACERS,
    },
  })
})
afterAll(() => service.close())

test(`of ${RACERS} requests with one challenge, one wins, and nothing is kept of the others`, async () => {
  const { identity, keys } = await agentOf(service)
  const claims = claimsFor(identity, keys, await challenge(service))
  const { body, proof } = await signedAttestation(claims, {
    service: service.url,
    keys,
    attester: attester(),
  })
  const answers = await Promise.all(
    Array.from({ length: RACERS }, () =>
      post(`${service.url}/v1/attestations`, body, { 'attestation-proof': proof }),
    ),
  )
  const counts = new Map<string, number>()
  for (const { status, json } of answers) {
    const name = `${status} ${json.code ?? 'issued'}`
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  expect(Object.fromEntries(counts)).toEqual({
    '200 issued': 1,
    '409 challenge-used': RACERS - 1,
  })

  const winner = answers.find(({ status }) => status === 200)
  const { json: kept } = await get(
    `${service.url}/v1/appraisals?tenant=default&limit=100`,
    bearer('viewer'),
  )
  expect(kept.appraisals.map(({ id }: { id: string }) => id)).toEqual([winner?.json.id])
  const { store } = service.verifier
  const jtis = (await store.tokensOf(winner?.json.id)).map(({ jti }) => jti)
  expect(jtis).toEqual(winner?.json.tokens.map(({ jti }: { jti: string }) => jti))
})
