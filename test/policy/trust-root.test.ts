/** trust/root.yaml: what it says, and every way in which it would lock somebody out or let somebody in. */
import { describe, expect, test } from 'vitest'
import { readTrustRoot, type TrustRoot } from '#src/policy/documents/trust-root.ts'
import { alteredRoot, heartbeatTerms, root } from './trust-documents.ts'

function read(text: string) {
  return readTrustRoot(new TextEncoder().encode(text))
}

function rootOf(text: string): TrustRoot {
  const reading = read(text)
  if ('mistakes' in reading) throw new Error(said(text).join('\n'))
  return reading.root
}

function said(text: string): readonly string[] {
  const reading = read(text)
  return 'mistakes' in reading
    ? reading.mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`)
    : []
}

test('it says who may change what, and how many must agree', () => {
  expect(said(root)).toEqual([])
  expect(rootOf(root)).toEqual({
    repository: 'acme/policy',
    generation: 3,
    roles: [
      { name: 'maintainers', principals: ['alice', 'bob', 'carol'], paths: ['**'] },
      { name: 'developers', principals: ['dave'], paths: ['agents/dev/**', 'config/*.json'] },
    ],
    approvals: {
      trust: { threshold: 2, principals: ['alice', 'bob', 'carol'], excludeAuthor: false },
      rules: { threshold: 2, principals: ['alice', 'bob'], excludeAuthor: true },
      unrevoke: { threshold: 2, principals: ['alice', 'bob', 'carol'], excludeAuthor: false },
      paths: [
        {
          paths: ['agents/prod/**'],
          threshold: 1,
          principals: ['carol'],
          excludeAuthor: false,
        },
      ],
    },
    heartbeat: undefined,
  })
})

test('thresholds for further paths need not be written', () => {
  const text = root.slice(0, root.indexOf('    paths:\n'))
  expect(rootOf(text).approvals.paths).toEqual([])
})

test('the terms of a heartbeat are seconds', () =>
  expect(rootOf(root + heartbeatTerms).heartbeat).toEqual({
    principals: ['clock'],
    graceSeconds: 86_400,
    longestSeconds: 604_800,
  }))

describe('a mistake is named with its place', () => {
  test.each<[string, string, string, string]>([
    ['another kind', 'kind: TrustRoot', 'kind: Root', '2:7 kind'],
    ['no repository', '  repository: acme/policy\n', '', 'metadata.repository is missing'],
    ['no roles', 'roles:\n', 'rolls:\n', 'spec.roles is missing'],
    ['no threshold for trust/', '    trust: {', '    truth: {', 'spec.approvals.trust is missing'],
    [
      'no threshold for un-revocation',
      '    unrevoke: {threshold: 2, principals: [alice, bob, carol]}\n',
      '',
      'spec.approvals.unrevoke is missing',
    ],
    [
      'a threshold of none',
      'rules: {threshold: 2',
      'rules: {threshold: 0',
      '16:24 spec.approvals.rules.threshold',
    ],
    [
      'a threshold that nobody can reach',
      'rules: {threshold: 2',
      'rules: {threshold: 3',
      '16:24 spec.approvals.rules.threshold: must not be more than there are principals',
    ],
    [
      'the same for further paths',
      '        threshold: 1',
      '        threshold: 2',
      '20:20 spec.approvals.paths[0].threshold: must not be more',
    ],
    [
      'one principal who would count twice',
      'trust: {threshold: 2, principals: [alice, bob, carol]}',
      'trust: {threshold: 2, principals: [alice, alice]}',
      '15:47 spec.approvals.trust.principals[1]: alice appears twice',
    ],
    ['two roles of one name', 'name: developers', 'name: maintainers', 'maintainers appears twice'],
    ['a role of nobody', 'principals: [dave]', 'principals: []', 'spec.roles[1].principals'],
    ['a principal that is a pattern', '[dave]', '["*"]', 'spec.roles[1].principals[0]: must be'],
    ['a principal that is a path', '[dave]', '["../dave"]', 'spec.roles[1].principals[0]: must be'],
    ['a pattern that leaves the repository', '"**"', '"../**"', '10:15 spec.roles[0].paths[0]'],
    ['an absolute pattern', '"**"', '"/etc"', 'spec.roles[0].paths[0]: must be a path such as'],
    ['two stars within a name', '"**"', '"agents/a**"', 'spec.roles[0].paths[0]'],
    ['excludeAuthor in words', 'excludeAuthor: true', 'excludeAuthor: yes', 'excludeAuthor'],
    ['generation 0', 'generation: 3', 'generation: 0', '5:15 metadata.generation'],
  ])('%s', (_, from, to, says) => expect(said(alteredRoot(from, to)).join('\n')).toContain(says))
})

describe('whoever signs the heartbeat may do nothing else', () => {
  const withHeartbeat = (from: string, to: string) => alteredRoot(from, to) + heartbeatTerms
  const clock = 'clock signs the heartbeat and so may do nothing else'
  test.each<[string, string, string, string]>([
    ['no role', '[dave]', '[dave, clock]', '12:26 spec.roles[1].principals[1]'],
    [
      'no vote on trust/',
      'trust: {threshold: 2, principals: [alice, bob, carol]}',
      'trust: {threshold: 2, principals: [alice, bob, clock]}',
      '15:52 spec.approvals.trust.principals[2]',
    ],
    [
      'no vote on rules/',
      'principals: [alice, bob], ',
      'principals: [alice, clock], ',
      'spec.approvals.rules.principals[1]',
    ],
    [
      'no vote on what was revoked',
      'unrevoke: {threshold: 2, principals: [alice, bob, carol]}',
      'unrevoke: {threshold: 2, principals: [clock, bob, carol]}',
      'spec.approvals.unrevoke.principals[0]',
    ],
    [
      'no vote on further paths',
      'principals: [carol]',
      'principals: [clock]',
      'spec.approvals.paths[0].principals[0]',
    ],
  ])('%s', (_, from, to, says) =>
    expect(said(withHeartbeat(from, to)).join('\n')).toContain(`${says}: ${clock}`),
  )
})

test.each([
  ['a promise of two years', 'longest: 7d', 'longest: 730d', 'must be at most 365d'],
  ['a grace of a second', 'grace: 24h', 'grace: 1s', 'must be at least 1m'],
  ['a heartbeat without grace', 'grace: 24h, ', '', 'spec.heartbeat.grace is missing'],
  ['a heartbeat of nobody', '[clock]', '[]', 'spec.heartbeat.principals'],
])('%s is refused', (_, from, to, says) =>
  expect(said(root + heartbeatTerms.replace(from, to)).join('\n')).toContain(says),
)
