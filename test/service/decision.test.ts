/** From evidence and policy to a verdict: every finding is listed, and one that refuses is enough. */
import { describe, expect, test } from 'vitest'
import type { RemotePolicy, RuleInput } from '#src/policy/rules/rule.ts'
import { proofCache } from '#src/rats/proof-cache.ts'
import { authenticated, type Decision, decide, type Matter } from '#src/service/decision.ts'
import { explainRefusal } from '#src/service/refusal.ts'
import { teeByName } from '#src/tee/registry.ts'
import { AT, attestation, snpMachine, tenant } from './fleet.ts'
import { BOT, manifest, type PolicyParts, policyOf, rule, rulesAnswering } from './policies.ts'

const machine = snpMachine('one')
const proofs = proofCache(16)

function matter(
  parts: PolicyParts = {},
  change: Partial<Matter> & { readonly measurement?: number; readonly agent?: string } = {},
): Matter {
  const { measurement = 0xa1, agent = 'invoice-bot', ...rest } = change
  const { runtimeClaims, evidence } = attestation({ machine, measurement, claims: { agent } })
  const policy = policyOf(parts)
  const release = policy.releaseOf('prod', agent)
  const tee = teeByName('sev-snp')
  if (!release || !tee) throw new Error('nothing to decide')
  return {
    tenant,
    tee,
    evidence,
    claims: runtimeClaims,
    policy,
    release,
    audiences: [],
    conditions: { at: AT, anchors: tenant.anchors, endorsements: machine.endorsements, proofs },
    ...rest,
  }
}

const forged = (good: Matter): Matter => {
  const quote = good.evidence.quote.slice()
  quote[0x90] = (quote[0x90] ?? 0) ^ 1
  return { ...good, evidence: { ...good.evidence, quote } }
}

const outcomes = ({ findings }: Decision, start: string) =>
  findings.filter(({ id }) => id.startsWith(start)).map(({ id, outcome }) => `${id} ${outcome}`)

const failing = ({ findings }: Decision) =>
  findings.filter(({ outcome }) => outcome === 'fail').map(({ id }) => id)

const twoRules = {
  rules: rulesAnswering([rule('first'), rule('second', { tee: 'tdx' })], () => [
    { answer: true },
    undefined,
  ]),
}

describe('what is approved', () => {
  test('is granted, with the tuple that matched and the layers that the hardware vouches for', async () => {
    const decision = await decide(matter())
    expect(failing(decision)).toEqual([])
    expect(decision.grant).toMatchObject({
      issuer: tenant.issuers.simulated,
      assurance: 'simulated',
      referenceValue: { id: 'current', line: 11 },
      rules: [{ audience: 'kms.example', form: 'possession', scopes: ['secret:db-ro'] }],
      subject: 'simulated:spiffe://verifier.example/t/default/env/prod/agent/invoice-bot',
    })
    expect(decision.match.accepted).toBe(true)
    expect(decision.layers).toMatchObject([{ subject: 'launch', bound: 'hardware' }])
  })

  test('is decided alike from an authentication that was made before', async () => {
    const asked = matter()
    expect(await decide(asked, authenticated(asked))).toEqual(await decide(asked))
  })
})

describe('the findings', () => {
  test.each([
    ['authentic evidence', matter(twoRules), ['rule.first pass', 'rule.second not-applicable']],
    [
      'forged evidence',
      forged(matter(twoRules)),
      ['rule.first not-reached', 'rule.second not-reached'],
    ],
  ])('of %s are all there, in order', async (_, asked, rules) => {
    const decision = await decide(asked)
    const ids = decision.findings.map(({ id }) => id)
    const place = (id: string) => ids.indexOf(id)
    expect(outcomes(decision, 'rule.')).toEqual(rules)
    expect(place('release.validity')).toBeGreaterThan(place('binding.report-data'))
    expect(place('revoked.digest')).toBeGreaterThan(place('release.audience'))
    expect(place('rule.first')).toBeGreaterThan(place('revoked.agent-key'))
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('of forged evidence grant nothing and say nothing about revocation', async () => {
    const decision = await decide(forged(matter()))
    expect(decision.grant).toBeUndefined()
    expect(decision.identity).toBeUndefined()
    expect(decision.layers).toEqual([])
    expect(outcomes(decision, 'revoked.')).toEqual([
      'revoked.digest not-reached',
      'revoked.platform not-reached',
      'revoked.agent-key not-reached',
      'revoked.ban not-reached',
    ])
  })
})

describe('refused is', () => {
  test.each<[string, Matter, string, string]>([
    [
      'another measurement',
      matter({}, { measurement: 0xa2 }),
      'snp.measurement.expected',
      'appraisal',
    ],
    [
      'a revoked measurement, whatever the manifest says',
      matter({ revocations: { digests: new Map([['a1'.repeat(48), 'a hole']]) } }),
      'revoked.digest',
      'revocation',
    ],
    [
      'a revoked key of the agent',
      matter({ revocations: { agentKeys: new Map([['s', 'stolen']]) } }),
      'revoked.agent-key',
      'revocation',
    ],
    [
      'what a rule denies',
      matter({
        rules: rulesAnswering([rule('no-smt')], () => [{ answer: false, observed: true }]),
      }),
      'rule.no-smt',
      'rules',
    ],
    [
      'what a rule could not judge',
      matter({
        rules: rulesAnswering([rule('slow', { severity: 'warning' })], () => [{ fault: 'slow' }]),
      }),
      'rule.slow',
      'rules',
    ],
    [
      'an audience of nobody',
      matter({}, { audiences: ['x.example'] }),
      'release.audience',
      'release',
    ],
  ])('%s', async (_, asked, id, stage) => {
    const decision = await decide(asked)
    expect(failing(decision)).toEqual([id])
    expect(decision.grant).toBeUndefined()
    expect(explainRefusal(asked, decision)).toMatchObject({ stage, failing: [id] })
  })
})

test('a rule that only warns lets pass and caps the status', async () => {
  const rules = (answer: boolean) =>
    rulesAnswering([rule('warn', { severity: 'warning' })], () => [
      answer ? { answer } : { answer, observed: 1 },
    ])
  const warned = await decide(matter({ rules: rules(false) }))
  expect(warned.grant).toBeDefined()
  expect(outcomes(warned, 'rule.')).toEqual(['rule.warn waived'])
  expect(warned.trustVector.configuration).toBe(32)
  const clean = await decide(matter({ rules: rules(true) }))
  expect(clean.trustVector.configuration).toBe(2)
})

test('a rule sees claims, release and request, and the status before it was asked', async () => {
  let seen: RuleInput | undefined
  const rules = rulesAnswering([rule('look')], (input) => {
    seen = input
    return [{ answer: true }]
  })
  await decide(matter({ rules }, { audiences: ['kms.example'] }))
  expect(seen).toMatchObject({
    tee: 'sev-snp',
    assurance: 'simulated',
    status: 'contraindicated',
    release: {
      environment: 'prod',
      agent: 'invoice-bot',
      generation: 42,
      referenceValue: 'current',
    },
    request: { tenant: 'default', audience: 'kms.example' },
  })
  expect(seen?.evidence).toMatchObject({ measurement: 'a1'.repeat(48) })
  expect(seen?.evidence).not.toHaveProperty('reportData')
})

describe('several audiences', () => {
  const two = {
    manifests: {
      [BOT]: `${manifest()}    - {audience: b, ttl: 30s}\n    - {audience: sts.example, token: federation, ttl: 60s}\n`,
    },
  }

  test('are granted together, in the order in which they were asked for', async () => {
    const { grant } = await decide(matter(two, { audiences: ['b', 'kms.example'] }))
    expect(grant?.rules.map(({ audience }) => audience)).toEqual(['b', 'kms.example'])
  })

  test('are refused together when one is unknown, and it is named', async () => {
    const decision = await decide(matter(two, { audiences: ['b', 'x', 'kms.example', 'y'] }))
    expect(failing(decision)).toEqual(['release.audience'])
    expect(decision.findings.find(({ id }) => id === 'release.audience')).toMatchObject({
      detail: 'the release allows no token for x, y',
      observed: ['b', 'x', 'kms.example', 'y'],
      expected: ['kms.example', 'b', 'sts.example'],
    })
  })

  test('are refused together when one of them is federation and the evidence is simulated', async () => {
    const decision = await decide(matter(two, { audiences: ['b', 'sts.example'] }))
    expect(failing(decision)).toEqual(['release.federation'])
    expect(decision.grant).toBeUndefined()
    expect(explainRefusal(matter(two), decision).stage).toBe('release')
  })

  test('are each put to the rules, as the only one is when none was named', async () => {
    const seen: string[] = []
    const rules = rulesAnswering([rule('look')], ({ request }) => {
      seen.push(request.audience)
      return [{ answer: true }]
    })
    await decide(matter({ ...two, rules }, { audiences: ['b', 'kms.example'] }))
    await decide(matter({ rules }))
    expect(seen).toEqual(['b', 'kms.example', 'kms.example'])
  })
})

describe('the remote policy', () => {
  const remote = (ask: RemotePolicy['ask']) => ({
    policy: { ask },
    connection: { remoteAddress: '192.0.2.7' },
  })

  test('is asked last, about resource and connection', async () => {
    const asked: unknown[] = []
    const decision = await decide(
      matter(twoRules, {
        remote: remote(async (input) => {
          asked.push(input)
          return { answer: true }
        }),
      }),
    )
    expect(decision.grant).toBeDefined()
    expect(decision.findings.at(-1)).toMatchObject({ id: 'policy.remote.allows', outcome: 'pass' })
    expect(asked).toMatchObject([
      {
        resource: { audience: 'kms.example', scopes: ['secret:db-ro'] },
        connection: { remoteAddress: '192.0.2.7' },
      },
    ])
  })

  test('refuses by its word and by its silence', async () => {
    for (const answer of [{ answer: false, observed: 'no' }, { fault: 'timed out' }] as const) {
      const asked = matter({}, { remote: remote(async () => answer) })
      const decision = await decide(asked)
      expect(failing(decision)).toEqual(['policy.remote.allows'])
      expect(decision.grant).toBeUndefined()
      expect(explainRefusal(asked, decision).stage).toBe('remote-policy')
    }
  })

  test('is not asked about what is refused anyway', async () => {
    const never = remote(async () => Promise.reject(new Error('was asked')))
    for (const asked of [
      matter({}, { measurement: 0xa2, remote: never }),
      forged(matter({}, { remote: never })),
    ])
      expect((await decide(asked)).findings.at(-1)).toMatchObject({ outcome: 'not-reached' })
  })
})

describe('an explanation', () => {
  test('names the field that differs, its line, and who wrote the manifest last', async () => {
    const asked = matter({}, { measurement: 0xa2 })
    const { explanation } = explainRefusal(asked, await decide(asked))
    expect(explanation.nearest).toEqual({
      referenceValue: 'current',
      line: 11,
      isMatched: false,
      failing: ['snp.measurement.expected'],
      fields: [
        {
          check: 'snp.measurement.expected',
          field: 'measurement',
          line: 13,
          observed: 'a2'.repeat(48),
          expected: 'a1'.repeat(48),
        },
      ],
    })
    expect(explanation.policy).toEqual({
      commit: 'c'.repeat(40),
      digest: asked.policy.digest,
      file: BOT,
      line: 13,
      changedBy: { commit: 'b'.repeat(40), principal: 'alice' },
    })
  })

  test('says under which other name the launch is approved', async () => {
    const other = 'agents/prod/other-bot.yaml'
    const asked = matter(
      {
        manifests: {
          [BOT]: manifest(),
          [other]: manifest({ agent: 'other-bot', measurement: 'a2' }),
        },
      },
      { measurement: 0xa2 },
    )
    const { explanation } = explainRefusal(asked, await decide(asked))
    expect(explanation.launchedAs).toEqual([
      {
        environment: 'prod',
        agent: 'other-bot',
        file: other,
        line: 11,
        referenceValue: 'current',
      },
    ])
  })

  test('of a rule has its message, file and line, beside the tuple that matched', async () => {
    const asked = matter({
      rules: rulesAnswering([rule('no-smt')], () => [{ answer: false, observed: true }]),
    })
    const refusal = explainRefusal(asked, await decide(asked))
    expect(refusal.sentence).toBe('rule.no-smt: message of no-smt (rules/prod.yaml:7)')
    expect(refusal.explanation.nearest).toMatchObject({ isMatched: true, fields: [] })
  })
})
