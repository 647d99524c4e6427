/** What do `policy status` and `policy diff` make of a service's answers, and of stored evidence? */
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { StoredDiff } from '#src/cli/policy-deps.ts'
import { Problem } from '#src/problems.ts'
import { BOT, manifest, type PolicyRepository, policyRepository } from '../git/policy-repository.ts'
import { policy, removeScratch, scratchFolder } from './policy-tools.ts'

interface Asked {
  readonly method: string
  readonly url: string
  readonly authorization: string | undefined
  readonly body: string
}

let answer: { readonly status: number; readonly body: string; readonly location?: string }
const asked: Asked[] = []
let server: Server
let url: string
let tokenFile: string
beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      const body = Buffer.concat(chunks).toString()
      asked.push({ method, url: path, authorization: headers.authorization, body })
      const { status, location } = answer
      response.writeHead(status, location === undefined ? {} : { location }).end(answer.body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // It listens on a port of TCP.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  tokenFile = join(scratchFolder(), 'token')
  writeFileSync(tokenFile, 'operator-token\n')
})
afterEach(() => {
  asked.length = 0
})
afterAll(() => {
  server.close()
  removeScratch()
})

const commit = 'a'.repeat(40)
const point = {
  name: 'replica-1',
  kind: 'verifier',
  commit,
  digest: 'sha256:1',
  reportedAt: '2026-06-01T00:00:00.000Z',
  lagging: false,
  reason: null,
}
const wellPolicy = {
  tenant: 'default',
  conditions: [{ name: 'Synced', message: 'in force', since: '2026-06-01T00:00:00.000Z', commit }],
  accepted: { commit, digest: 'sha256:1', since: '2026-06-01T00:00:00.000Z', sequence: 3 },
  enforcementPoints: [point],
  drift: {
    from: { commit: 'b'.repeat(40), digest: 'sha256:2' },
    to: { commit, digest: 'sha256:1' },
    at: '2026-06-01T00:00:00.000Z',
    examined: 12,
    unexaminable: 1,
    changed: 2,
  },
}

describe('vouchsafe policy status', () => {
  const status = async (...args: readonly string[]) =>
    await policy(['status', '--url', url, '--token-file', tokenFile, ...args])
  const say = (policies: readonly unknown[]) => {
    answer = { status: 200, body: JSON.stringify({ policies }) }
  }

  test('asks as an operator, and says what every tenant’s policy is', async () => {
    say([wellPolicy])
    const { code, out } = await status()
    expect(code).toBe(0)
    expect(asked).toEqual([
      { method: 'GET', url: '/v1/policies', authorization: 'Bearer operator-token', body: '' },
    ])
    for (const text of ['Synced since', commit, 'number 3', 'replica-1', '2 of 12 verdicts'])
      expect(out).toContain(text)
  })

  test.each([
    [
      'a condition that is not Synced',
      {
        conditions: [{ ...wellPolicy.conditions[0], name: 'UnknownSigner' }],
        accepted: null,
        drift: null,
      },
    ],
    [
      'an enforcement point that lags',
      { enforcementPoints: [{ ...point, lagging: true, reason: 'silent for 120 s' }] },
    ],
  ])('%s exits 2', async (_, trouble) => {
    say([wellPolicy, { ...wellPolicy, tenant: 'other', ...trouble }])
    const { code, json } = await status('--json')
    expect([code, json.policies.length]).toEqual([2, 2])
    expect((await status()).out).toMatch(/UnknownSigner|silent for 120 s/)
  })

  test('what a newer service says more is passed on, and does not disturb', async () => {
    say([{ ...wellPolicy, enforced: { releases: 4 } }])
    const { code, json } = await status('--json')
    expect([code, json.policies[0].enforced]).toEqual([0, { releases: 4 }])
  })

  test.each([
    ['a refusal', { status: 403, body: '{"code":"c","detail":"d","next":"n"}' }, '403 c: d'],
    ['no JSON', { status: 200, body: '<html>' }, 'no answer that could be read'],
    ['another answer', { status: 200, body: '{}' }, 'something else than this version expects'],
    ['a way elsewhere', { status: 302, body: '', location: '/elsewhere' }, 'no answer'],
  ])('%s: exit code 1', async (_, given, detail) => {
    answer = given
    const { code, json } = await status('--json')
    expect([code, json.error.detail]).toEqual([1, expect.stringContaining(detail)])
    // The token is shown to nobody else.
    expect(asked).toHaveLength(1)
  })

  test.each([
    ['no --url', [], '--url is missing: only a running service knows'],
    ['no token', ['--url', 'http://127.0.0.1:1'], '--token-file is missing'],
    ['plain HTTP to another machine', ['--url', 'http://a.example'], 'is no https address'],
    ['a password in the address', ['--url', 'https://u:p@a.example'], 'without credentials'],
    ['nobody who listens', ['--url', 'http://127.0.0.1:1', '--token-file', 'T'], 'no answer'],
  ])('%s: exit code 1, with what to do', async (_, args, detail) => {
    const given = args.map((each) => (each === 'T' ? tokenFile : each))
    const { code, json } = await policy(['status', ...given, '--json'])
    expect([code, json.error.detail]).toEqual([1, expect.stringContaining(detail)])
    expect(json.error.next).not.toBe('')
  })
})

describe('vouchsafe policy diff', () => {
  let repository: PolicyRepository
  let next: string
  beforeAll(async () => {
    repository = await policyRepository()
    next = await repository.commit({
      files: {
        [BOT]: manifest({ generation: 43 }),
        'agents/prod/other-bot.yaml': manifest({ agent: 'other-bot' }),
      },
    })
  })
  afterAll(() => repository.remove())

  const entry = {
    appraisal: 'id-1',
    environment: 'prod',
    agent: 'invoice-bot',
    before: 'issued',
    after: 'refused',
    nowFailing: ['snp.measurement.expected'],
    noLongerFailing: [],
  } as const
  const counts = { examined: 5, unexaminable: 1, changed: 1, entries: [entry] }
  const same = { examined: 5, unexaminable: 0, changed: 0, entries: [] }
  const name = { commit, digest: 'sha256:1' }
  const reportOf = (found: typeof counts | typeof same) => async () => ({
    tenant: 'default',
    from: name,
    to: name,
    at: new Date(),
    ...found,
  })
  const diff = async (args: readonly string[], deps: Parameters<typeof policy>[1] = {}) =>
    await policy(['diff', ...args, '--repository', repository.path], deps)

  test('exits 1 and names whose verdict would change, why, and which manifests differ', async () => {
    const { code, out } = await diff([repository.first, next], { diffStored: reportOf(counts) })
    expect(code).toBe(1)
    expect(out).toMatch(/^changed {2}agents\/prod\/invoice-bot\.yaml$/m)
    expect(out).toMatch(/^added {4}agents\/prod\/other-bot\.yaml$/m)
    expect(out).toContain('falls    prod/invoice-bot: issued before, refused after')
    expect(out).toContain('fails now: snp.measurement.expected')
    expect(out).toContain('1 verdict would change')
  })

  test('exits 0 where no verdict changes, whatever the manifests say', async () => {
    const { code, json } = await diff([repository.first, 'main', '--json'], {
      diffStored: reportOf(same),
    })
    expect([code, json.same, json.manifests.length]).toEqual([0, true, 2])
  })

  test('both policies are read whole, and evidence is looked at as far back as was asked', async () => {
    let question: StoredDiff | undefined
    const now = new Date('2026-06-10T00:00:00Z')
    await diff([repository.first, next, '--since', '24h', '--tenant', 'other'], {
      now: () => now,
      diffStored: async (given) => {
        question = given
        return await reportOf(same)()
      },
    })
    expect(question?.tenant).toBe('other')
    expect(question?.since).toEqual(new Date('2026-06-09T00:00:00Z'))
    expect(question?.from.releases.map(({ generation }) => generation)).toEqual([42])
    expect(question?.to.releaseOf('prod', 'invoice-bot')?.generation).toBe(43)
  })

  test('a folder may stand for NEW', async () => {
    const nothingElse = { added: [], removed: [] }
    const folder = join(scratchFolder(), 'policy')
    await policy(['init', folder])
    const { code, json } = await diff([repository.first, folder, '--json'], {
      diffStored: reportOf(same),
    })
    expect([code, json.manifests]).toEqual([
      0,
      [
        { file: 'agents/dev/invoice-bot.yaml', change: 'added', measurements: nothingElse },
        { file: BOT, change: 'changed', measurements: nothingElse },
      ],
    ])
  })

  test('a running service is asked about two commits', async () => {
    answer = { status: 200, body: JSON.stringify({ tenant: 'x', ...counts }) }
    const args = [repository.first, 'main', '--url', url, '--token-file', tokenFile, '--json']
    const { code, json } = await diff(args)
    expect([code, json.changed, json.entries]).toEqual([1, 1, [entry]])
    expect(asked).toEqual([
      {
        method: 'POST',
        url: '/v1/policies/default/diff',
        authorization: 'Bearer operator-token',
        body: JSON.stringify({ old: repository.first, new: next }),
      },
    ])
  })

  test.each([
    ['one policy', ['HEAD'], 'OLD and NEW are two policies'],
    ['a commit that is none', ['HEAD', 'nowhere'], 'nowhere'],
    ['a folder for a service', ['HEAD', '.', '--url', 'http://127.0.0.1:1'], 'is a folder'],
    ['--since for a service', ['HEAD', 'main', '--url', 'x', '--since', '1h'], 'looks back'],
    ['a duration that is none', ['HEAD', 'main', '--since', 'yesterday'], 'is not a duration'],
  ])('%s: exit code 2, as diff(1) has it', async (_, args, detail) => {
    const { code, json } = await diff([...args, '--json'], { diffStored: reportOf(same) })
    expect([code, json.error.detail]).toEqual([2, expect.stringContaining(detail)])
  })

  test('what is no policy cannot be compared: exit code 2', async () => {
    const broken = await repository.commit({ files: { [BOT]: 'kind: Nonsense\n' } })
    const { code, json } = await diff([repository.first, broken, '--json'])
    expect([code, json.error.detail]).toEqual([2, expect.stringContaining('SchemaInvalid')])
  })

  test('a data directory that a service holds is told in its own words: exit code 2', async () => {
    const { code, json } = await diff([repository.first, next, '--json'], {
      diffStored: async () => {
        throw new Problem('storage-unavailable', 'the service holds it, ask it with --url')
      },
    })
    expect([code, json.error.code]).toEqual([2, 'storage-unavailable'])
  })
})
