/** Whatever a manifest says, what stands in revoked/ is refused: each kind of entry by its own check, and by no other. */
import { describe, expect, test } from 'vitest'
import { type RevocationSubject, revocationChecks } from '#src/policy/revocation-checks.ts'
import { checklist, type Finding, judgeAll } from '#src/rats/check.ts'
import { releaseOf } from './authentic-evidence.ts'

const nothing = {
  digests: new Map(),
  platforms: new Map(),
  agentKeys: new Map(),
  signerKeys: new Map(),
}
const entry = (value: string) => new Map([[value, 'because']])
const digest = (octet: string) => octet.repeat(32)

const subject: RevocationSubject = {
  revocations: nothing,
  identity: { hardware: 'x', launch: 'aa', digests: ['aa', 'bb'], platforms: ['cc', 'dd'] },
  release: releaseOf('bot', [], {
    artifacts: [
      { name: 'image', kind: 'image', digest: `sha256:${digest('1a')}`, reference: undefined },
    ],
    models: [{ name: 'llama', version: 1, digest: `sha256:${digest('2b')}` }],
    runtimeConfig: {
      path: 'config.json',
      sha256: digest('3c'),
      sha384: '4d'.repeat(48),
      sha512: '5e'.repeat(64),
      names: new Set(),
    },
    manifest: { file: 'agents/prod/bot.yaml', sha256: digest('6f') },
  }),
  keys: { sig_jkt: 'signing', enc_jkt: 'encrypting' },
  bans: [],
}

/** Everything that can be waived is, and more: nothing of it helps. */
const waivers = new Map(
  [
    'revoked.digest',
    'revoked.platform',
    'revoked.agent-key',
    'revoked.ban',
    'revocation',
    'tcb',
    'attributes',
  ].map((name) => [name, 'please']),
)

function judged(revocations: Partial<RevocationSubject['revocations']>): readonly Finding[] {
  const findings: Finding[] = []
  const all = { ...subject, revocations: { ...nothing, ...revocations } }
  judgeAll(checklist(revocationChecks), all, waivers, findings)
  return findings
}

const refusing = (findings: readonly Finding[]) =>
  findings.flatMap(({ id, outcome }) => (outcome === 'pass' ? [] : [`${id} ${outcome}`]))

test('nothing revoked, nothing refused', () => {
  expect(judged({}).map(({ id }) => id)).toEqual([
    'revoked.digest',
    'revoked.platform',
    'revoked.agent-key',
    'revoked.ban',
  ])
  expect(refusing(judged({}))).toEqual([])
})

describe('only one check refuses', () => {
  test.each<[string, Partial<RevocationSubject['revocations']>, string]>([
    ['what the evidence measured', { digests: entry('bb') }, 'revoked.digest'],
    ['an artifact', { digests: entry(digest('1a')) }, 'revoked.digest'],
    ['a model', { digests: entry(digest('2b')) }, 'revoked.digest'],
    ['a configuration', { digests: entry(digest('3c')) }, 'revoked.digest'],
    ['a configuration by SHA-384', { digests: entry('4d'.repeat(48)) }, 'revoked.digest'],
    ['a configuration by SHA-512', { digests: entry('5e'.repeat(64)) }, 'revoked.digest'],
    ['the manifest itself', { digests: entry(digest('6f')) }, 'revoked.digest'],
    ['the machine', { platforms: entry('dd') }, 'revoked.platform'],
    ['the signing key', { agentKeys: entry('signing') }, 'revoked.agent-key'],
    ['the encryption key', { agentKeys: entry('encrypting') }, 'revoked.agent-key'],
  ])('%s', (_, revocations, id) => expect(refusing(judged(revocations))).toEqual([`${id} fail`]))
})

test('what is revoked as something else is not revoked as this', () =>
  expect(
    refusing(
      judged({
        digests: entry('cc'),
        platforms: entry('bb'),
        agentKeys: entry('aa'),
        signerKeys: entry('signing'),
      }),
    ),
  ).toEqual([]))

test('a refusal names the entry, its reason and what to do', () => {
  const [finding] = judged({ digests: new Map([...entry('aa'), ...entry('bb')]) })
  expect(finding).toMatchObject({
    detail:
      'the digest aa is revoked (because), and 1 more: use another, or have the entry taken out of revoked/',
    observed: ['aa', 'bb'],
  })
})

test('none of them has a waiver group', () =>
  expect(revocationChecks.filter((check) => check.waivable !== undefined)).toEqual([]))

describe('a ban', () => {
  const at = new Date('2026-06-01T00:00:00Z')
  const ban = (platform: string) => ({ platform, reason: 'stolen \u001b[2J', by: 'otto', at })
  const banned = (platforms: readonly string[]): readonly Finding[] => {
    const findings: Finding[] = []
    const all = { ...subject, bans: platforms.map(ban) }
    judgeAll(checklist(revocationChecks), all, waivers, findings)
    return findings
  }

  test('of one name of the machine refuses it, and says who, when, why and what to do', () => {
    const findings = banned(['ff', 'dd'])
    expect(refusing(findings)).toEqual(['revoked.ban fail'])
    const { detail, observed } = findings.at(-1) ?? {}
    expect(observed).toEqual(['dd'])
    expect(detail).toMatch(/^the machine dd was banned by otto at 2026-06-01T00:00:00.000Z/)
    expect(detail).toContain('vouchsafe session unban')
    expect(detail).not.toContain('\u001b')
  })

  test('of another machine is none of its business', () =>
    expect(refusing(banned(['ff', 'c', 'ccdd']))).toEqual([]))
})
