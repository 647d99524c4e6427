/** A commit's files as one policy: all or nothing, with a digest of our own. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type PolicyFile, policyDigest } from '#src/policy/policy.ts'
import { valid } from './manifests.ts'
import {
  beating,
  bot,
  heartbeat,
  policyOf,
  prepare,
  readme,
  refusal,
  revoked,
  rule,
  ruleText,
  twin,
} from './policies.ts'
import { alteredRoot, file, trust } from './trust-documents.ts'

describe('a policy', () => {
  test('finds a release by environment and agent together', async () => {
    const policy = await policyOf([...trust, bot, twin, readme])
    expect(policy.releaseOf('prod', 'twin')?.agent).toBe('twin')
    expect(policy.releaseOf('dev', 'twin')).toBeUndefined()
    expect(policy.releaseOf('prod/twin', '')).toBeUndefined()
    expect(policy.releaseOf('constructor', '__proto__')).toBeUndefined()
  })

  test('finds reference values by launch', async () => {
    const { launching } = await policyOf([...trust, bot, twin])
    expect(launching('sev-snp', 'a1'.repeat(48)).map(({ release }) => release.agent)).toEqual([
      'invoice-bot',
      'twin',
    ])
    expect(launching('sev-snp', 'a2'.repeat(48))).toEqual([])
  })

  test('has the trust root, the revocations of all files, the heartbeat and the rules', async () => {
    const files = [...beating, bot, heartbeat, rule, revoked('one', 'aa'), revoked('two', 'bb')]
    const policy = await policyOf(files)
    expect(policy.trust.repository).toBe('acme/policy')
    expect([...policy.revocations.digests]).toEqual([
      ['bb'.repeat(32), 'two'],
      ['aa'.repeat(32), 'one'],
    ])
    expect(policy.heartbeat).toEqual({
      notAfter: new Date('2026-06-01T00:00:00Z'),
      graceSeconds: 86_400,
    })
    expect(policy.rules.rules.map(({ id }) => id)).toEqual(['no-dev'])
  })

  test('knows which change last touched a file', async () => {
    const provenance = { [bot.path]: { commit: 'c0', principal: 'alice' } }
    const { provenanceOf } = await policyOf([...trust, bot], { provenance })
    expect(provenanceOf(bot.path)?.principal).toBe('alice')
    expect(provenanceOf('constructor')).toBeUndefined()
    expect((await policyOf([...trust, bot])).provenanceOf(bot.path)).toBeUndefined()
  })
})

describe('the digest', () => {
  test('is written out here: lengths, paths and content digests in order of path', () => {
    const line = ({ path, bytes }: PolicyFile) =>
      `${path.length}:${path}:${createHash('sha256').update(bytes).digest('hex')}\n`
    const expected = createHash('sha256')
      .update(`${line(readme)}${line(bot)}`)
      .digest('hex')
    expect(policyDigest([bot, readme])).toBe(`sha256:${expected}`)
  })

  test('is that of the policy', async () =>
    expect((await policyOf([...trust, bot, readme])).digest).toBe(
      policyDigest([readme, bot, ...trust]),
    ))

  test.each([
    ['content', [bot, file('README.md', 'hello!')]],
    ['a name', [bot, file('READYOU.md', 'hello')]],
    ['a file more', [bot, readme, file('x', '')]],
    ['a file less', [bot]],
  ])('changes with %s', (_, files) =>
    expect(policyDigest(files)).not.toBe(policyDigest([bot, readme])),
  )
})

describe('nothing is accepted', () => {
  test.each<[string, readonly PolicyFile[], string]>([
    ['if the commit is empty', [], 'trust/root.yaml:1:1: this file is missing'],
    ['without trust files', [bot], '`vouchsafe policy init` makes a repository that has it'],
    ['without a manifest', [...trust, readme], 'agents/:1:1: there is no manifest'],
    [
      'if one of many manifests is wrong',
      [...trust, bot, twin, file('agents/prod/worse.yaml', 'a: 1\na: 2')],
      'agents/prod/worse.yaml:2:1: the key a appears twice',
    ],
    [
      'if a manifest has another suffix',
      [...trust, bot, file('agents/prod/other.yml', valid)],
      'agents/prod/other.yml:1:1: a manifest is agents/<environment>/<agent>.yaml',
    ],
    [
      'if a manifest has a page’s name',
      [...trust, bot, file('agents/prod/README.md', '')],
      'agents/prod/README.md:1:1: a manifest is',
    ],
    [
      'if revocations have another suffix',
      [...trust, bot, file('revoked/chips.yml', '')],
      'revoked/chips.yml:1:1: revoked/chips.yml is none of the documents of this folder: revocations are revoked/<name>.yaml',
    ],
    [
      'if revocations lie deeper',
      [...trust, bot, file('revoked/2026/chips.yaml', '')],
      'revoked/2026/chips.yaml:1:1: revoked/2026/chips.yaml is none',
    ],
    [
      'if rules have another suffix',
      [...trust, bot, file('rules/baseline.cel', '')],
      'rules/baseline.cel:1:1: rules/baseline.cel is none',
    ],
    ['if revocations are broken', [...trust, bot, file('revoked/a.yaml', 'a: 1')], 'a.yaml:1:1:'],
    ['if rules are broken', [...trust, bot, file('rules/a.yaml', 'a: 1')], 'rules/a.yaml:1:1:'],
    [
      'if a rule looks at what is not there',
      [...trust, bot, file('rules/a.yaml', ruleText("releese.environment == 'prod'"))],
      'rules/a.yaml:7:',
    ],
    [
      'if the heartbeat is missing',
      [...beating, bot],
      'heartbeat.yaml:1:1: trust/root.yaml asks for a heartbeat',
    ],
    [
      'if there is a heartbeat that nobody judges',
      [...trust, bot, heartbeat],
      'heartbeat.yaml:1:1: trust/root.yaml asks for no heartbeat',
    ],
    [
      'if the heartbeat is broken',
      [...beating, bot, file('heartbeat.yaml', 'kind: Heartbeat')],
      'heartbeat.yaml:1:1:',
    ],
    [
      'if the trust root is broken',
      [
        file('trust/root.yaml', alteredRoot('generation: 3', 'generation: x')),
        ...trust.slice(1),
        bot,
      ],
      'trust/root.yaml:5:15: metadata.generation',
    ],
  ])('%s', async (_, files, says) => {
    const [condition, ...mistakes] = await refusal(files)
    expect(condition).toBe('SchemaInvalid')
    expect(mistakes.join('\n')).toContain(says)
  })

  test('whatever is wrong is said all at once', async () => {
    const [, ...said] = await refusal([
      file('trust/root.yaml', 'a: 1'),
      ...trust.slice(1),
      file('agents/prod/a.yaml', 'a: 1'),
      file('revoked/a.yaml', 'a: 1'),
      file('rules/a.yaml', 'a: 1'),
    ])
    const files = new Set(said.map((text) => text.split(':')[0]))
    expect(files).toEqual(
      new Set(['trust/root.yaml', 'agents/prod/a.yaml', 'revoked/a.yaml', 'rules/a.yaml']),
    )
  })

  test('but of thousands of mistakes, only as many as anybody reads', async () => {
    const broken = Array.from({ length: 3_000 }, (_, n) => file(`agents/prod/a${n}.yaml`, 'a: 1'))
    const start = performance.now()
    expect((await refusal([...trust, ...broken])).length).toBeLessThan(300)
    expect(performance.now() - start).toBeLessThan(2_000)
  })

  test('a large configuration that every manifest names is read once', async () => {
    const many = Array.from({ length: 300 }, (_, n) =>
      file(
        `agents/prod/a${n}.yaml`,
        valid
          .replace('name: invoice-bot', `name: a${n}`)
          .replace('  release:', '  runtimeConfig: large.json\n  release:'),
      ),
    )
    const start = performance.now()
    await policyOf([...trust, ...many, file('large.json', new Uint8Array(256 * 1024))])
    // Read for each, it takes seconds.
    expect(performance.now() - start).toBeLessThan(1_000)
  })

  test('a configuration without end is not read', async () => {
    const text = valid.replace('  release:', '  runtimeConfig: large.json\n  release:')
    const large = file('large.json', new Uint8Array(256 * 1024 + 1))
    expect((await refusal([...trust, file(bot.path, text), large])).join()).toContain(
      'spec.runtimeConfig: large.json is 262145 bytes long',
    )
  })

  test('a file name with control characters does not reach a terminal', async () =>
    expect((await refusal([...trust, bot, file('rules/\u001b[2J.yaml', '')])).join()).not.toContain(
      '\u001b',
    ))
})

describe('rules', () => {
  test('that cannot be compiled are as bad as those whose cases fail', async () =>
    expect(
      await refusal([...trust, bot, file('rules/a.yaml', ruleText("release.agent == 'unfit'"))]),
    ).toEqual(['RuleCaseFailed', 'rules/a.yaml:7:1: cannot be run']))

  test('whose cases fail keep the whole commit out', async () =>
    expect(
      await refusal([...trust, bot, file('rules/a.yaml', ruleText("release.agent == 'wrong'"))]),
    ).toEqual([
      'RuleCaseFailed',
      expect.stringContaining('rules/a.yaml:11:1: rule no-dev, case good: must pass'),
    ]))

  test('are not asked when documents are wrong', async () => {
    prepare.mockClear()
    await refusal([...trust, rule, file('agents/prod/a.yaml', 'a: 1')])
    expect(prepare).not.toHaveBeenCalled()
  })
})

describe('pages may lie in every folder of documents, so that Git keeps it', () => {
  test.each(['agents/README.md', 'rules/README.md', 'revoked/README.md', 'trust/README.md'])(
    '%s',
    async (path) =>
      expect(await refusal([...trust, bot, file(path, 'page')])).toEqual(['accepted']),
  )
})
