/** `vouchsafe reappraise` against a running service: what it tells, on a terminal and off it, and how it ends. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { answering } from '#src/cli/answering.ts'
import { type ReappraisalQuestion, reappraiseCommand } from '#src/cli/reappraise.ts'
import { Problem } from '#src/problems.ts'
import { attestAt } from '../http/attempt.ts'
import {
  AT,
  bearer,
  manifest,
  policyOf,
  post,
  type RunningService,
  runService,
  tokens,
} from '../http/running-service.ts'
import { filesInMemory, output } from './command.ts'

let service: RunningService
const usual = policyOf()
const narrower = policyOf(
  manifest((text) => text.replace('a1'.repeat(48), 'a9'.repeat(48))),
  { commit: 'd'.repeat(40) },
)
beforeAll(async () => {
  service = await runService()
})
afterEach(async () => {
  service.policy.current = await usual
  service.clock.at = AT
  await post(
    `${service.url}/v1/revocations`,
    JSON.stringify({ agent: { environment: 'prod', agent: 'invoice-bot' } }),
    bearer('operator'),
  )
})
afterAll(() => service.close())

interface Run {
  readonly terminal?: boolean
  readonly token?: string
  readonly directly?: (question: ReappraisalQuestion) => AsyncIterable<unknown>
}

async function reappraise(args: readonly string[], run: Run = {}) {
  const { terminal = false, token = tokens.operator } = run
  const { written, ...streams } = output()
  const deps = {
    ...streams,
    colour: false,
    terminal,
    files: filesInMemory({ token }),
    fetch: globalThis.fetch,
    directly:
      run.directly ??
      (() => {
        throw new Error('nobody asked for that')
      }),
  }
  const code = await answering('reappraise', args, deps, () => reappraiseCommand(args, deps))
  return { code, ...written, lines: written.out.split('\n').filter((line) => line !== '') }
}

const asked = async (args: readonly string[] = [], run: Run = {}) =>
  await reappraise(['--url', service.url, '--token-file', 'token', ...args], run)

const attested = async () => {
  const { json } = await attestAt(service)
  return json as { readonly id: string; readonly tokens: readonly { readonly jti: string }[] }
}
const reasonOf = async (jti = 'none') =>
  (await service.verifier.store.findToken(jti))?.revocation?.reason

describe('of a running service', () => {
  test('nothing fell: 0', async () => {
    await attested()
    const { code, lines } = await asked(['--tenant', 'default'])
    expect(code).toBe(0)
    expect(lines).toEqual([
      `default, by policy ${'c'.repeat(12)}`,
      '1 judged again, and nothing fell. 0 tokens revoked.',
    ])
  })

  test('what falls is told and revoked: 2', async () => {
    const { id, tokens: issued } = await attested()
    service.policy.current = await narrower
    const dry = await asked(['--tenant', 'default', '--dry-run'])
    expect([dry.code, dry.lines.at(-1)]).toEqual([
      2,
      '1 judged again, 1 fell. Nothing was revoked: this was a dry run.',
    ])
    expect(await reasonOf(issued[0]?.jti)).toBeUndefined()
    const { code, lines } = await asked(['--tenant', 'default'])
    expect(code).toBe(2)
    expect(lines).toEqual([
      `default, by policy ${'d'.repeat(12)}`,
      `  falls prod/invoice-bot, appraisal ${id}, 1 live token, by policy: snp.measurement.expected`,
      '1 judged again, 1 fell. 1 tokens revoked.',
    ])
    expect(await reasonOf(issued[0]?.jti)).toBe('policy')
    expect((await asked(['--tenant', 'default'])).code).toBe(0)
  })

  test('--json: a line for each thing that is found out, the report last', async () => {
    await attested()
    service.policy.current = await narrower
    const { code, lines } = await asked(['--tenant', 'default', '--json'])
    const read = lines.map((line) => JSON.parse(line))
    expect(code).toBe(2)
    expect(read.map(({ type }) => type)).toEqual(['tenant', 'fallen', 'progress', 'report'])
    expect(read.at(-1)).toEqual({
      type: 'report',
      dryRun: false,
      skipped: 0,
      examined: 1,
      unexaminable: 0,
      fallen: 1,
      revoked: 1,
    })
  })

  test('--since and --all judge what lives no more, and revoke nothing of it', async () => {
    await attested()
    service.clock.at = new Date(AT.getTime() + 3600_000)
    service.policy.current = await narrower
    const tenant = ['--tenant', 'default']
    expect((await asked([...tenant, '--since', '2026-06-01T00:30:00Z'])).code).toBe(0)
    const since = await asked([...tenant, '--since', '2026-06-01T00:00:00Z'])
    expect(since.code).toBe(2)
    expect(since.out).toContain('0 live tokens')
    expect((await asked([...tenant, '--all'])).lines.at(-1)).toMatch(/fell\. 0 tokens revoked\.$/)
  })

  test('at a terminal a bar comes and goes; elsewhere progress is a line of JSON', async () => {
    await attested()
    const tenant = ['--tenant', 'default', '--all']
    const seen = await asked(tenant, { terminal: true })
    expect(seen.err).toMatch(/\[#{24}\] default: \d+ looked at, 0 fell/)
    expect(seen.err.endsWith('\r\u001b[K')).toBe(true)
    const { err } = await asked(tenant)
    expect(JSON.parse(err)).toMatchObject({ type: 'progress', tenant: 'default' })
  })

  test('every tenant, and one without a policy is no yes: 1', async () => {
    service.policy.current = undefined
    const { code, lines } = await asked()
    expect(code).toBe(1)
    expect(lines).toContain('acme: no policy was ever accepted')
  })

  test.each<[string, readonly string[], Run, RegExp]>([
    ['an unknown tenant', ['--tenant', 'nobody'], {}, /404 tenant-unknown/],
    ['a viewer', [], { token: tokens.viewer }, /403 operator-forbidden/],
    ['both spans', ['--all', '--since', '2026-06-01T00:00:00Z'], {}, /both given/],
    ['a date', ['--since', '2026-06-01'], {}, /no instant/],
    ['a stray word', ['default'], {}, /takes no default/],
  ])('%s: 1, and what to do', async (_, args, run, told) => {
    const { code, err } = await asked(args, run)
    expect(code).toBe(1)
    expect(err).toMatch(told)
    expect(err).toContain('What to do: ')
  })

  test('a database that goes away in the middle: 1, with the reason', async () => {
    await attested()
    const { store } = service.verifier
    const { findAppraisal } = store
    Object.assign(store, {
      findAppraisal: async () => {
        throw new Problem('storage-unavailable', 'the database did not answer')
      },
    })
    const { code, err } = await asked(['--tenant', 'default'])
    Object.assign(store, { findAppraisal })
    expect(code).toBe(1)
    expect(err).toContain('the database did not answer')
    expect((await asked(['--tenant', 'default'])).code).toBe(0)
  })

  test('two at once of one tenant: the second is told to wait', async () => {
    await attested()
    const gate = Promise.withResolvers<void>()
    const { store } = service.verifier
    const { liveTokens } = store
    Object.assign(store, {
      liveTokens: async (...args: Parameters<typeof liveTokens>) => {
        await gate.promise
        return await liveTokens(...args)
      },
    })
    const first = asked(['--tenant', 'default'])
    await new Promise((resolve) => setTimeout(resolve, 100))
    const second = await asked(['--tenant', 'default'])
    gate.resolve()
    Object.assign(store, { liveTokens })
    expect([second.code, second.err]).toEqual([1, expect.stringMatching(/429 too-many-requests/)])
    expect((await first).code).toBe(0)
  })
})

describe('without a service', () => {
  test('the same question goes to the database', async () => {
    const questions: ReappraisalQuestion[] = []
    const { code, lines } = await reappraise(['--tenant', 'acme', '--dry-run'], {
      async *directly(question) {
        questions.push(question)
        yield { type: 'tenant', tenant: 'acme', commit: 'c'.repeat(40) }
        yield {
          type: 'report',
          dryRun: true,
          skipped: 0,
          examined: 3,
          unexaminable: 1,
          fallen: 0,
          revoked: 0,
        }
      },
    })
    expect(questions).toEqual([{ tenant: 'acme', since: undefined, dryRun: true }])
    // One that could not be judged is no yes.
    expect([code, lines.at(-1)]).toEqual([1, expect.stringContaining('1 could not be judged')])
  })

  test('an answer that ends too early is none: 1', async () => {
    const { code, err } = await reappraise([], {
      async *directly() {
        yield { type: 'tenant', tenant: 'acme', commit: 'c'.repeat(40) }
      },
    })
    expect([code, err]).toEqual([1, expect.stringContaining('ended before its last line')])
  })
})
