/** What is recorded of a decision: whatever a stranger may have written is short. */
import { describe, expect, test } from 'vitest'
import type { Datum } from '#src/rats/check.ts'
import { proofCache } from '#src/rats/proof-cache.ts'
import { recordOf } from '#src/service/appraisal-record.ts'
import { type Decision, decide, type Matter } from '#src/service/decision.ts'
import { teeByName } from '#src/tee/registry.ts'
import { AT, attestation, snpMachine, tenant } from './fleet.ts'
import { policyOf } from './policies.ts'

const machine = snpMachine('one')
const call = { at: AT, requestId: 'r', remoteAddress: '192.0.2.7' }

function matter(change: (quote: Uint8Array) => Uint8Array = (quote) => quote): Matter {
  const { runtimeClaims, evidence } = attestation({ machine })
  const policy = policyOf()
  const release = policy.releaseOf('prod', 'invoice-bot')
  const tee = teeByName('sev-snp')
  if (!release || !tee) throw new Error('nothing to decide')
  return {
    tenant,
    tee,
    evidence: { ...evidence, quote: change(evidence.quote) },
    claims: runtimeClaims,
    policy,
    release,
    audiences: [],
    conditions: {
      at: AT,
      anchors: tenant.anchors,
      endorsements: machine.endorsements,
      proofs: proofCache(10),
    },
  }
}

async function recorded(of: Matter, observed: Datum) {
  const decision = await decide(of)
  const told: Decision = {
    ...decision,
    findings: decision.findings.map((finding) => ({
      ...finding,
      detail: 'd'.repeat(5000),
      observed,
    })),
  }
  const [finding] = recordOf(of, { id: 'i', decision: told, call }).findings
  return finding
}

const long = 'x'.repeat(5000)

describe('of evidence that proves nothing, findings quote', () => {
  const cut = matter((quote) => quote.slice(1))
  test.each<[string, Datum, Datum]>([
    ['what is short as it is', [1, null, 'x', ['y']], [1, null, 'x', ['y']]],
    ['the beginning of a text', long, `${'x'.repeat(300)}... (5000 characters)`],
    [
      'the first of a list',
      Array.from({ length: 1000 }, (_, n) => n),
      [0, 1, 2, 3, 4, 5, 6, 7, '... (1000 items)'],
    ],
    ['no depth', [[[['deep', 'deeper']]]], [[['... (2 items)']]]],
    ['each piece of a list', [long], [`${'x'.repeat(300)}... (5000 characters)`]],
  ])('%s', async (_, observed, expected) => {
    expect(await recorded(cut, observed)).toMatchObject({
      detail: `${'d'.repeat(300)}... (5000 characters)`,
      observed: expected,
    })
  })
})

test('of authentic evidence everything is told: a difference may be compared with the manifest', async () => {
  expect(await recorded(matter(), long)).toMatchObject({ observed: long })
})
