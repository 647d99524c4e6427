/** Runtime checks: each alone refuses what it is for, and what it costs is known. */
import { describe, expect, test } from 'vitest'
import { consequenceOf, consequences } from '#src/policy/runtime/consequence.ts'
import { runtimeChecks } from '#src/policy/runtime/runtime-checks.ts'
import { vectors } from './runtime-vectors.ts'
import {
  did,
  digest,
  failing,
  findingsOf,
  good,
  loaded,
  release,
  releaseWith,
  section,
} from './subjects.ts'

const ids = runtimeChecks.map(({ id }) => id)

test('what the manifest approves passes, every check of it', () => {
  expect(findingsOf(good).filter(({ outcome }) => outcome !== 'pass')).toEqual([])
})

test('every check has a vector, a consequence, and an id of its own', () => {
  expect(Object.keys(vectors).toSorted()).toEqual(ids.toSorted())
  expect(Object.keys(consequences).toSorted()).toEqual(ids.toSorted())
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(id).toMatch(/^runtime\.[a-z0-9-]+\.[a-z-]+$/)
})

describe.each(ids)('%s', (id) => {
  const own = vectors[id] ?? []

  test('alone refuses its vectors', () => {
    expect(own.length).toBeGreaterThan(0)
    for (const vector of own) expect(failing(vector)).toEqual([id])
  })

  test('lets exactly them pass when it is forgotten', () => {
    const others = runtimeChecks.filter((check) => check.id !== id)
    for (const [of, each] of Object.entries(vectors))
      for (const vector of each) expect(failing(vector, others)).toEqual(of === id ? [] : [of])
  })

  test('says what was observed, what was expected and what to do', () => {
    for (const vector of own) {
      const finding = findingsOf(vector).find((each) => each.id === id)
      // A count that is none throws: the frame says so.
      if (finding?.detail?.startsWith('the check could not be judged')) continue
      expect(finding?.detail).toMatch(/:|;|\./)
      expect(finding?.observed).not.toBe(undefined)
      expect(finding?.expected).not.toBe(undefined)
    }
  })

  test('costs what the table says', () => {
    for (const vector of own) expect(consequenceOf(findingsOf(vector))).toBe(consequences[id])
  })
})

describe('what is unknown or absent', () => {
  test('a release without runtime section lets nothing pass, whatever it is', () => {
    const without = { ...good, release: { ...release, runtime: undefined } }
    expect(failing(without)).toContain('runtime.collector.approved')
    expect(failing({ ...without, measurement: [], behaviour: [] })).toContain(
      'runtime.collector.approved',
    )
    expect(failing(without)).toEqual(
      expect.arrayContaining(['runtime.code.approved', 'runtime.egress.allowed']),
    )
  })

  test('a session that opens has nothing before it, which the findings say', () => {
    const findings = findingsOf({ ...good, before: undefined })
    expect(findings.filter(({ outcome }) => outcome === 'fail')).toEqual([])
    expect(
      findings.filter(({ outcome }) => outcome === 'not-applicable').map(({ id }) => id),
    ).toEqual([
      'runtime.boot.unchanged',
      'runtime.collector.unchanged',
      'runtime.modes.unchanged',
      'runtime.seq.next',
      'runtime.uptime.monotonic',
      'runtime.dropped.monotonic',
    ])
  })

  test('what nobody watches and nobody asked to watch is not called good', () => {
    const unwatched = {
      ...good,
      release: releaseWith(section.replace('watch: [files, kernel-events, rtmr3]', 'watch: []')),
      statement: { ...good.statement, modes: '' },
      before: undefined,
      measurement: [],
      behaviour: [],
    }
    const findings = findingsOf(unwatched)
    expect(findings.filter(({ outcome }) => outcome === 'fail')).toEqual([])
    expect(findings.find(({ id }) => id === 'runtime.kernel-events.watched')?.detail).toContain(
      'no kernel source',
    )
    for (const id of ['runtime.egress.allowed', 'runtime.code.approved', 'runtime.rtmr3.replayed'])
      expect(findings.find((each) => each.id === id)?.outcome).toBe('not-applicable')
  })

  test('what was seen counts, whatever the collector says that it watches', () => {
    const { vector } = { vector: vectors['runtime.egress.allowed']?.[0] ?? good }
    const blindfolded = {
      ...vector,
      statement: { ...good.statement, modes: '' },
      before: undefined,
    }
    expect(failing(blindfolded)).toContain('runtime.egress.allowed')
  })

  test('RTMR3 is compared where a quote came, and only there', () => {
    const finding = (more: object) =>
      findingsOf({ ...good, ...more }).find(({ id }) => id === 'runtime.rtmr3.replayed')
    expect(finding({ register: undefined })).toMatchObject({
      outcome: 'not-applicable',
      detail: 'no quote came with this message',
    })
  })

  test('a failing check that no table knows quarantines', () => {
    const finding = { id: 'runtime.new.check', cites: '', informs: 'executables' } as const
    expect(consequenceOf([{ ...finding, outcome: 'fail' }])).toBe('quarantine')
    expect(consequenceOf([{ ...finding, id: 'toString', outcome: 'not-reached' }])).toBe(
      'quarantine',
    )
    expect(consequenceOf([{ ...finding, outcome: 'pass' }])).toBe('none')
  })

  test('of several consequences the gravest counts', () => {
    const both = [
      ...(vectors['runtime.cpu.within-budget'] ?? []),
      ...(vectors['runtime.dropped.within-limit'] ?? []),
    ]
    expect(consequenceOf(both.flatMap((each) => findingsOf(each)))).toBe('suspend')
  })
})

describe('what a finding says of an attacker’s thousands', () => {
  const many = {
    ...good,
    measurement: Array.from({ length: 2000 }, (_, n) =>
      loaded('library', `/tmp/\u202e${n}${'x'.repeat(900)}`, '99'),
    ),
  }
  const finding = findingsOf(many).find(({ id }) => id === 'runtime.library.approved')

  test('names the first few, counts all, and shows no control characters', () => {
    expect(finding?.observed).toHaveLength(4)
    expect(finding?.detail).toContain('2000 in all')
    expect(finding?.detail).not.toContain('\u202e')
    expect(JSON.stringify(finding).length).toBeLessThan(4000)
  })

  test('names what is approved there instead', () => {
    const swapped = vectors['runtime.code.approved']?.[0] ?? good
    expect(findingsOf(swapped).find(({ id }) => id === 'runtime.code.approved')).toMatchObject({
      observed: [`/opt/agent/main.js (${digest('99')})`],
      expected: [`/opt/agent/main.js (${digest('01')})`],
    })
  })

  test('an executable that is approved wherever it lies may be started from anywhere', () => {
    const anywhere = releaseWith(
      section.replace(
        '    measurements:',
        `    measurements:\n      - {kind: executable, digest: "${digest('22')}"}`,
      ),
    )
    const exec = did('exec', { pid: 1, comm: 'sh', path: '/tmp/gone', isAnonymous: false })
    expect(failing({ ...good, release: anywhere, behaviour: [exec] })).toEqual([])
  })
})
