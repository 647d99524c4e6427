/** Does `vouchsafe verify` say of every recorded report and quote what recorded.json expects, through the command itself? */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { RecordedCase } from '../../fixtures/recorded-manifest.ts'
import { localFiles } from '../../src/adapters/local-files.ts'
import { vendorAnchors } from '../../src/adapters/vendor-anchors.ts'
import { verifyCommand } from '../../src/cli/verify.ts'
import { checkIds } from '../../src/rats/appraisal.ts'
import { teeByName } from '../../src/tee/registry.ts'
import { advice, hasRecorded, recordedCases, recordedPath } from '../recorded.ts'

const anchors = await vendorAnchors(new URL('../../certs/', import.meta.url))
const exitCodes = { affirming: 0, warning: 0, contraindicated: 2 } as const

const Result = z.strictObject({
  tee: z.string(),
  status: z.string(),
  trustVector: z.record(z.string(), z.number()),
  findings: z.array(
    z.strictObject({
      id: z.string(),
      outcome: z.enum(['pass', 'fail', 'not-reached', 'not-applicable', 'waived']),
      detail: z.string().nullable(),
      observed: z.json(),
      expected: z.json(),
      cites: z.string().min(1),
      informs: z.string(),
    }),
  ),
  claims: z.looseObject({ tcb: z.json().optional() }),
})

async function verified({ evidence, endorsements, eventLog, at, waivers, profile }: RecordedCase) {
  let out = ''
  let err = ''
  const code = await verifyCommand(
    [
      `${recordedPath(evidence)}`,
      ...endorsements.flatMap((path) => ['--endorsements', `${recordedPath(path)}`]),
      ...(eventLog === undefined ? [] : ['--event-log', `${recordedPath(eventLog)}`]),
      ...Object.entries(waivers).flatMap(([check, reason]) => ['--waive', `${check}=${reason}`]),
      ...(profile ? ['--profile', profile] : []),
      ...['--at', at, '--json'],
    ],
    {
      files: localFiles,
      out: (text) => {
        out += text
      },
      err: (text) => {
        err += text
      },
      now: () => {
        throw new Error('the case states its instant')
      },
      anchors,
      simulatedAllowed: false,
    },
  )
  return { code, err, result: Result.parse(JSON.parse(out)) }
}

describe.each(recordedCases)('$name', (recorded) => {
  const { tee, evidence, endorsements, eventLog, expect: expected } = recorded
  const absent = !hasRecorded(evidence, ...endorsements, ...(eventLog ? [eventLog] : []))

  test.skipIf(absent)(
    `is ${expected.status}${expected.firstFailure ? `, by ${expected.firstFailure}` : ''}${absent ? ` (${advice})` : ''}`,
    async () => {
      const { code, err, result } = await verified(recorded)
      const failed = result.findings.find(({ outcome }) => outcome === 'fail')
      expect(failed?.id ?? null, failed?.detail ?? '').toBe(expected.firstFailure)
      expect({ code, err, tee: result.tee, status: result.status }).toEqual({
        code: exitCodes[expected.status],
        err: '',
        tee,
        status: expected.status,
      })
      if (expected.tcb) expect(result.claims.tcb).toMatchObject(expected.tcb)

      const known = teeByName(tee)
      expect(result.findings.map(({ id }) => id)).toEqual(known ? checkIds(known) : 'a known TEE')
    },
  )
})
