/** Recorded hardware evidence through the HTTP service: the same verdict as everywhere else, case by case. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { vendorAnchors } from '#src/adapters/vendor-anchors.ts'
import { advice, hasRecorded, recordedBytes, recordedCases } from '../recorded.ts'
import { post, type RunningService, runService } from './running-service.ts'

let service: RunningService
beforeAll(async () => {
  const anchors = await vendorAnchors(new URL('../../certs/', import.meta.url))
  service = await runService({ anchors })
})
afterAll(() => service.close())

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

describe.each(recordedCases)('$name', (recorded) => {
  const { evidence, eventLog, endorsements, at, waivers, profile, expect: expected } = recorded
  const files = [evidence, ...(eventLog ? [eventLog] : []), ...endorsements]
  const here = hasRecorded(...files)

  test.skipIf(!here)(
    `${expected.firstFailure ?? expected.status}${here ? '' : ` (${advice})`}`,
    async () => {
      const { status, json } = await post(
        `${service.url}/v1/appraisals`,
        JSON.stringify({
          evidence: {
            quote: base64(recordedBytes(evidence)),
            ...(eventLog && { eventLog: base64(recordedBytes(eventLog)) }),
          },
          endorsements: endorsementsOf(endorsements),
          at,
          waive: waivers,
          ...(profile !== null && { profile }),
        }),
      )
      expect(status, JSON.stringify(json).slice(0, 500)).toBe(200)
      const failure = json.findings.find(({ outcome }: { outcome: string }) => outcome === 'fail')
      expect(failure?.id ?? null).toBe(expected.firstFailure)
      expect(json.status).toBe(expected.status)
      if (expected.tcb && failure === undefined) expect(json.claims.tcb).toMatchObject(expected.tcb)
    },
  )
})

function endorsementsOf(paths: readonly string[]) {
  const certificates = paths.filter((path) => path.endsWith('.der'))
  const [collateral] = paths.filter((path) => path.endsWith('.json'))
  return {
    certificates: certificates.map((path) => base64(recordedBytes(path))),
    ...(collateral && {
      collateral: JSON.parse(new TextDecoder().decode(recordedBytes(collateral))),
    }),
  }
}
