/** The figures that a monitoring system reads: names, labels and values, in a format that a strict reader takes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { measure } from '#src/http/measure.ts'
import { metricFamilies } from '#src/http/metric-families.ts'
import { metricsApp } from '#src/http/metrics-app.ts'
import { metricsText } from '#src/http/metrics-text.ts'
import { type RunningServer, startServer } from '#src/http/server.ts'
import { countTokens } from '#src/http/token-counts.ts'
import { countVerdicts } from '#src/http/verdict-counts.ts'
import { Problem } from '#src/problems.ts'
import type { Store } from '#src/service/ports.ts'
import { attestAt } from './attempt.ts'
import { parseExposition } from './exposition.ts'
import { nothingMeasured } from './nothing-measured.ts'
import {
  AT,
  attester,
  bearer,
  manifest,
  policyOf,
  post,
  type RunningService,
  runService,
} from './running-service.ts'

describe('the text', () => {
  const nasty = 'a"b\\c\nd\re{}=,#ü'
  const read = (value: number, label = 'x') =>
    parseExposition(
      metricsText([
        { name: 'a_total', help: nasty, type: 'counter', samples: [{ labels: { label }, value }] },
        { name: 'empty', help: 'x', type: 'gauge', samples: [] },
        { name: 'bare', help: 'x', type: 'gauge', samples: [{ labels: {}, value }] },
      ]),
    )

  test('escapes what labels and help may hold; only a carriage return becomes a space', () => {
    const family = read(1, nasty).get('a_total')
    expect(family?.samples[0]?.labels).toEqual({ label: nasty.replace('\r', ' ') })
    expect(family?.help).toBe(nasty.replace('\r', ' '))
  })

  test.each([0, 1, -1, 0.5, 1e21, 1.5e-7, 1_780_000_000.123, Infinity, -Infinity, NaN])(
    'writes %d',
    (value) => {
      expect(read(value).get('a_total')?.samples[0]?.value).toBe(value)
      expect(read(value).get('bare')?.samples).toEqual([{ suffix: '', labels: {}, value }])
    },
  )

  test('leaves out a family without samples', () => expect(read(1).has('empty')).toBe(false))
})

const seconds = (from: number) => new Date(AT.getTime() + from * 1000)
const ofSessions = ['vouchsafe_sessions', 'vouchsafe_sessions_heard']
const ofMachine = [
  'vouchsafe_database_up',
  'vouchsafe_database_latency_seconds',
  'vouchsafe_collateral_age_seconds',
  'vouchsafe_collateral_remaining_seconds',
  'vouchsafe_event_loop_delay_seconds',
  'vouchsafe_process_resident_memory_bytes',
  'vouchsafe_process_heap_used_bytes',
  'vouchsafe_process_external_memory_bytes',
  'vouchsafe_process_cpu_seconds_total',
  'vouchsafe_process_start_timestamp_seconds',
  'vouchsafe_log_lines_dropped_total',
]
const ofTokens = [
  'vouchsafe_tokens_issued_total',
  'vouchsafe_tokens_revoked_total',
  'vouchsafe_key_age_seconds',
]

describe('GET /metrics', () => {
  let service: RunningService
  let server: RunningServer
  const notAfter = new Date(AT.getTime() + 3600_000)

  const tokens = countTokens(memoryStore())
  const machine = {
    collateral: () => [
      { document: 'amd-crl', fetchedAt: seconds(-60), notAfter: seconds(3600) },
      { document: 'amd-crl', fetchedAt: seconds(-90), notAfter: seconds(-1) },
    ],
    process: () => ({
      residentMemory: 1024,
      heapUsed: 512,
      external: 256,
      cpuSeconds: 1.5,
      startedAt: seconds(-100),
      eventLoopDelay: { p50: 0.001, p99: 0.002, max: 0.25 },
      droppedLogLines: 0,
    }),
  }

  beforeAll(async () => {
    service = await runService({ policy: undefined, store: tokens.store })
    const { verifier } = service
    const { journal, counts } = countVerdicts(verifier.journal, [...verifier.tenants.keys()])
    // What run-service.ts does before there is a verifier.
    Object.assign(verifier, { journal })
    server = await startServer({
      host: '127.0.0.1',
      port: 0,
      app: async () =>
        metricsApp({ verifier, gauges: { verdicts: counts, tokens: tokens.figures, ...machine } }),
    })
  })
  afterAll(async () => {
    await server.close()
    await service.close()
  })

  const scrape = async () => {
    const response = await fetch(`http://127.0.0.1:${server.port}/metrics`)
    return { response, families: parseExposition(await response.text()) }
  }
  const figureOf = async (name: string, labels: Readonly<Record<string, string>>) => {
    const { families } = await scrape()
    return families
      .get(name)
      ?.samples.find((sample) => JSON.stringify(sample.labels) === JSON.stringify(labels))?.value
  }

  test('before any policy: conditions are there, and nothing pretends to be a figure', async () => {
    const { response, families } = await scrape()
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect([...families.keys()]).toEqual([
      'vouchsafe_build_info',
      'vouchsafe_policy_condition',
      'vouchsafe_attestations_total',
      ...ofTokens,
      'vouchsafe_log_size',
      'vouchsafe_log_checkpoint_age_seconds',
      'vouchsafe_log_waiting',
      ...ofSessions,
      ...ofMachine,
    ])
    expect(families.get('vouchsafe_build_info')?.samples).toEqual([
      { suffix: '', labels: { version: 'test' }, value: 1 },
    ])
    const conditions = families.get('vouchsafe_policy_condition')?.samples ?? []
    expect(conditions).toHaveLength(2 * 9)
    expect(conditions.filter(({ value }) => value === 1).map(({ labels }) => labels)).toEqual([
      { tenant: 'default', condition: 'SchemaInvalid' },
      { tenant: 'acme', condition: 'SchemaInvalid' },
    ])
  })

  test('afterwards: acceptance, heartbeat, verdicts, drift, and who lags', async () => {
    const first = await policyOf(manifest(), { heartbeat: { notAfter } })
    await service.accept(first)
    await attestAt(service)
    await attestAt(service, { attester: attester(new Uint8Array(48).fill(0xee)) })
    await post(
      `${service.url}/v1/policies/default/enforcement`,
      JSON.stringify({ kind: 'gateway', commit: first.commit, digest: first.digest }),
      bearer('enforcer'),
    )
    const withdrawn = manifest((text) => text.replace('a1'.repeat(48), 'd4'.repeat(48)))
    await service.accept(
      await policyOf(withdrawn, { commit: 'd'.repeat(40), heartbeat: { notAfter } }),
    )
    service.clock.at = new Date(AT.getTime() + 60_000)

    const { families } = await scrape()
    expect([...families.keys()]).toEqual([
      'vouchsafe_build_info',
      'vouchsafe_policy_condition',
      'vouchsafe_policy_accepted_sequence',
      'vouchsafe_policy_accepted_timestamp_seconds',
      'vouchsafe_policy_heartbeat_remaining_seconds',
      'vouchsafe_policy_enforcement_lagging',
      'vouchsafe_policy_enforcement_lag_seconds',
      'vouchsafe_policy_drift_changed',
      'vouchsafe_policy_drift_examined',
      'vouchsafe_attestations_total',
      ...ofTokens,
      'vouchsafe_log_size',
      'vouchsafe_log_checkpoint_age_seconds',
      'vouchsafe_log_waiting',
      ...ofSessions,
      ...ofMachine,
    ])
    const tenant = 'default'
    const point = { tenant, kind: 'gateway', name: 'edda' }
    const expected: readonly [string, Readonly<Record<string, string>>, number][] = [
      ['vouchsafe_policy_condition', { tenant, condition: 'Synced' }, 1],
      ['vouchsafe_policy_condition', { tenant, condition: 'Stale' }, 0],
      ['vouchsafe_policy_accepted_sequence', { tenant }, 2],
      ['vouchsafe_policy_accepted_timestamp_seconds', { tenant }, AT.getTime() / 1000],
      ['vouchsafe_policy_heartbeat_remaining_seconds', { tenant }, 3540],
      ['vouchsafe_policy_enforcement_lagging', point, 1],
      ['vouchsafe_policy_enforcement_lag_seconds', point, 60],
      ['vouchsafe_policy_drift_changed', { tenant }, 1],
      ['vouchsafe_policy_drift_examined', { tenant }, 2],
      ['vouchsafe_attestations_total', { tenant, verdict: 'issued' }, 1],
      ['vouchsafe_attestations_total', { tenant, verdict: 'refused' }, 1],
      ['vouchsafe_attestations_total', { tenant: 'acme', verdict: 'issued' }, 0],
      ['vouchsafe_tokens_issued_total', { form: 'possession' }, 1],
      ['vouchsafe_tokens_issued_total', { form: 'federation' }, 0],
      ['vouchsafe_tokens_revoked_total', { reason: 'policy' }, 0],
      ['vouchsafe_key_age_seconds', { purpose: 'challenge' }, 60],
      ['vouchsafe_database_up', {}, 1],
      ['vouchsafe_collateral_age_seconds', { document: 'amd-crl' }, 150],
      ['vouchsafe_collateral_remaining_seconds', { document: 'amd-crl' }, -61],
      ['vouchsafe_event_loop_delay_seconds', { quantile: 'max' }, 0.25],
      ['vouchsafe_process_cpu_seconds_total', {}, 1.5],
    ]
    for (const [name, labels, value] of expected)
      expect([name, labels, await figureOf(name, labels)]).toEqual([name, labels, value])
  })

  test('once the heartbeat ended its time left is below zero', async () => {
    service.clock.at = new Date(notAfter.getTime() + 10_000)
    expect(
      await figureOf('vouchsafe_policy_heartbeat_remaining_seconds', { tenant: 'default' }),
    ).toBe(-10)
  })

  test.each([
    ['POST', '/metrics', 405],
    ['GET', '/', 404],
    ['GET', '/v1/policies', 404],
    ['HEAD', '/metrics', 200],
  ])('%s %s: %i', async (method, path, status) =>
    expect((await fetch(`http://127.0.0.1:${server.port}${path}`, { method })).status).toBe(status),
  )

  const brokenBy = (change: Partial<Store>) => {
    const { verifier } = service
    return metricsApp({
      verifier: { ...verifier, store: { ...verifier.store, ...change } },
      gauges: { verdicts: () => [{ tenant: 'default', verdict: 'issued', count: 3 }], ...machine },
    })
  }
  const gone = () => Promise.reject(new Problem('storage-unavailable', 'secret detail'))

  test.each<[string, Partial<Store>]>([
    ['does not answer at all', { ping: gone }],
    ['goes away in between', { logHead: gone }],
  ])(
    'where the database %s, that is a figure, and those of the process go on',
    async (_, change) => {
      const response = await brokenBy(change).request('/metrics')
      expect(response.status).toBe(200)
      const families = parseExposition(await response.text())
      expect([...families.keys()]).toEqual([
        'vouchsafe_build_info',
        'vouchsafe_attestations_total',
        'vouchsafe_database_up',
        ...ofMachine.slice(2),
      ])
      expect(families.get('vouchsafe_database_up')?.samples).toEqual([
        { suffix: '', labels: {}, value: 0 },
      ])
    },
  )

  test('a database that keeps silent is down too, and the scrape does not wait for it', async () => {
    const { verifier } = service
    const store = { ...verifier.store, ping: () => new Promise<void>(() => {}) }
    const measured = await measure({ ...verifier, store }, { verdicts: () => [] }, 20)
    expect(measured.database).toEqual({ isUp: false, latencySeconds: undefined })
  })

  test('a fault of ours fails the scrape, and says nothing about itself', async () => {
    const response = await brokenBy({
      logHead: () => Promise.reject(new Error('secret detail')),
    }).request('/metrics')
    expect(response.status).toBe(503)
    expect(await response.text()).not.toContain('secret')
  })

  test('are not on the port where agents ask', async () =>
    expect((await fetch(`${service.url}/metrics`)).status).toBe(404))
})

test('every name follows Prometheus’s conventions, and is described', () => {
  const families = metricFamilies(nothingMeasured)
  for (const { name, help, type } of families) {
    expect(name).toMatch(/^vouchsafe_[a-z_]+$/)
    expect(name.endsWith('_total')).toBe(type === 'counter')
    expect(help).toMatch(/\.$/)
  }
})
