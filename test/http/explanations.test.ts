/** How much is told about a refusal, and to whom: everything to an operator who may look, little to anybody else. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attestationResponse } from '#src/http/responses.ts'
import { attestAt } from './attempt.ts'
import {
  attester,
  bearer,
  closeEngine,
  manifest,
  policyOf,
  type RunningService,
  runService,
} from './running-service.ts'

let service: RunningService
beforeAll(async () => {
  service = await runService({ explainRefusals: false })
})
afterAll(async () => {
  await service.close()
  await closeEngine()
})

const tampered = attester(new Uint8Array(48).fill(0xee))

describe('a refusal, where the configuration explains none', () => {
  test.each([
    ['nobody', {}],
    ['an unknown token', { authorization: 'Bearer of-a-gateway' }],
    ['an enforcer', bearer('enforcer')],
  ])('tells %s the stage and the failing ids', async (_, headers) => {
    const { status, json } = await attestAt(service, { attester: tampered, headers })
    expect(status).toBe(403)
    expect(json).toMatchObject({ stage: 'appraisal', failing: ['snp.measurement.expected'] })
    for (const member of ['findings', 'advice', 'policy', 'nearest', 'launchedAs'])
      expect(json).not.toHaveProperty(member)
    expect(JSON.stringify(json)).not.toMatch(/a1a1|eeee|agents\/prod|alice/)
  })

  test.each(['viewer', 'operator'] as const)(
    'tells a %s file, line, commit, author, the nearest tuple and each field that differs',
    async (role) => {
      const { status, json } = await attestAt(service, {
        attester: tampered,
        headers: bearer(role),
      })
      expect(status).toBe(403)
      expect(json).toMatchObject({
        detail: expect.stringContaining('snp.measurement.expected: '),
        policy: {
          file: 'agents/prod/invoice-bot.yaml',
          line: 17,
          changedBy: { commit: 'b'.repeat(40), principal: 'alice' },
        },
        nearest: {
          referenceValue: 'current',
          fields: [
            {
              field: 'measurement',
              line: 17,
              observed: 'ee'.repeat(48),
              expected: 'a1'.repeat(48),
            },
          ],
        },
        launchedAs: [],
      })
      expect(json.findings.length).toBeGreaterThan(30)
    },
  )

  test('changes no verdict: an operator’s token gets nobody in', async () => {
    const { status, json } = await attestAt(service, {
      attester: tampered,
      headers: bearer('operator'),
    })
    expect([status, json.token]).toEqual([403, undefined])
    const issued = await attestAt(service, { headers: { authorization: 'Bearer unknown' } })
    expect(issued.status).toBe(200)
  })
})

describe('a token that is issued', () => {
  test('comes with the line that approved it, who signed that, and how far the hardware’s word reaches', async () => {
    const { json } = await attestAt(service)
    expect(attestationResponse.safeParse(json).error).toBeUndefined()
    expect(json.release).toMatchObject({
      manifest: 'agents/prod/invoice-bot.yaml',
      referenceValue: 'current',
      line: 15,
      changedBy: { commit: 'b'.repeat(40), principal: 'alice' },
    })
    expect(json.layers).toEqual([
      {
        subject: 'launch',
        digest: `sha384:${'a1'.repeat(48)}`,
        bound: 'hardware',
        through: 'measurement',
      },
    ])
  })

  test('tells what the agent only claims apart from what the hardware bound', async () => {
    const digest = `sha256:${'5a'.repeat(32)}`
    service.policy.current = await policyOf(
      manifest((text) =>
        text.replace(
          'spec:\n',
          `spec:\n  artifacts:\n    - {name: image, kind: image, digest: "${digest}"}\n`,
        ),
      ),
    )
    const { json } = await attestAt(service)
    expect(json.layers).toContainEqual({
      subject: 'artifact:image',
      digest,
      bound: 'claimed',
      through: null,
    })
  })
})

describe('what refuses besides the reference values', () => {
  test('a revoked measurement, with its reason for operators only', async () => {
    const revoked = `apiVersion: vouchsafe.dev/v1alpha1
kind: Revocations
metadata: {generation: 1}
spec:
  digests:
    - {value: "sha384:${'a1'.repeat(48)}", reason: image leaks its key}
`
    service.policy.current = await policyOf(manifest(), { revoked })
    const stranger = await attestAt(service)
    expect(stranger.json).toMatchObject({ stage: 'revocation' })
    expect(JSON.stringify(stranger.json)).not.toContain('leaks')
    const operator = await attestAt(service, { headers: bearer('viewer') })
    expect(JSON.stringify(operator.json)).toContain('image leaks its key')
  })

  test('a rule of the operator, with its message and line for operators only', async () => {
    const rules = `apiVersion: vouchsafe.dev/v1alpha1
kind: Rules
metadata: {generation: 1}
spec:
  inputs:
    hardware: {assurance: hardware}
    simulated: {assurance: simulated}
  rules:
    - id: hardware-only
      expression: assurance == 'hardware'
      message: production takes hardware only
      severity: deny
      cases:
        - {name: hardware passes, input: hardware, pass: true}
        - {name: simulated fails, input: simulated, pass: false}
`
    service.policy.current = await policyOf(manifest(), { rules })
    const stranger = await attestAt(service)
    expect(stranger.json).toMatchObject({ stage: 'rules', failing: ['rule.hardware-only'] })
    expect(JSON.stringify(stranger.json)).not.toContain('production takes')
    const operator = await attestAt(service, { headers: bearer('viewer') })
    const finding = operator.json.findings.find(
      ({ id }: { id: string }) => id === 'rule.hardware-only',
    )
    expect(finding).toMatchObject({
      outcome: 'fail',
      detail: expect.stringContaining('production takes hardware only'),
      cites: expect.stringMatching(/^rules\/prod\.yaml:\d+$/),
    })
  })
})

test('a remote policy engine is told the peer’s address, whatever the request claims about it', async () => {
  const heard: unknown[] = []
  const asked = await runService({
    remotePolicy: {
      async ask({ connection, resource }) {
        heard.push({ connection, resource })
        return { answer: true }
      },
    },
  })
  const { status } = await attestAt(asked, {
    headers: { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9' },
  })
  await asked.close()
  expect(status).toBe(200)
  expect(heard).toEqual([
    {
      connection: { remoteAddress: '127.0.0.1' },
      resource: { audience: 'kms.example', scopes: [] },
    },
  ])
})
