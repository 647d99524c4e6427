/** A message of a session that passes every runtime check, and the ways in which tests change it. */

import { readManifest } from '#src/policy/documents/manifest.ts'
import { listLine, listOf } from '#src/policy/documents/measurement-list.ts'
import { runtimeChecks } from '#src/policy/runtime/runtime-checks.ts'
import type { RuntimeSubject } from '#src/policy/runtime/runtime-subject.ts'
import { type Check, checklist, type Finding, judgeAll } from '#src/rats/check.ts'
import type { AgentRelease } from '#src/rats/release.ts'
import { noUsage } from '#src/rats/runtime-usage.ts'
import { altered, waivable } from '../manifests.ts'

export const digest = (octet: string) => `sha256:${octet.repeat(32)}`
const collector = digest('c0')

const list = listOf([
  listLine('code', digest('01'), '/opt/agent/main.js'),
  listLine('executable', digest('02'), '/usr/bin/node'),
  listLine('library', digest('03'), '/usr/lib/libc.so.6'),
  listLine('plugin', digest('05'), '/opt/agent/plugins/tax.wasm'),
  listLine('configuration', digest('06'), '/etc/agent.json'),
])

/** Everything that a manifest may say of a running agent. */
export const section = `  artifacts:
    - {name: sums, kind: plugin, digest: "${digest('15')}"}
    - {name: limits, kind: configuration, digest: "${digest('16')}"}
  models:
    - {name: llama-small, version: 3, digest: "${digest('04')}"}
  runtime:
    attestEvery: 5m
    heartbeatEvery: 5s
    collectors: ["${collector}"]
    watch: [files, kernel-events, rtmr3]
    mostDropped: 10
    lists: ["sha256:${list.sha256}"]
    measurements:
      - {kind: environment, path: environment, digest: "${digest('08')}"}
      - {kind: code, digest: "${digest('11')}"}
    state:
      - {path: /var/agent/prompt.md, digests: ["${digest('07')}"]}
      - {path: /var/agent/memory/**, any: true, reason: what it learnt is its own}
    sensitiveCalls: [memfd_create]
    anonymousTextKiB: 256
    egress:
      - {host: api.example, ports: [443]}
      - {host: 10.0.0.7, ports: [5432]}
    budget: {tokensPerMinute: 60000, usdPerDay: 50, cpuMillis: 2000, memoryMiB: 512}
  release:`

export function releaseWith(text = section): AgentRelease {
  const bytes = new TextEncoder().encode(altered('  release:', text))
  const fileAt = (path: string) =>
    path === list.file ? new TextEncoder().encode(list.text) : undefined
  const reading = readManifest(
    { path: 'agents/prod/invoice-bot.yaml', bytes },
    { waivable, fileAt },
  )
  if ('mistakes' in reading) throw new Error(JSON.stringify(reading.mistakes))
  return reading.release
}

export const release = releaseWith()

export const loaded = (kind: string, path: string, octet: string) =>
  JSON.stringify({ kind, path, digest: digest(octet) })
export const did = (kind: string, more: object) => JSON.stringify({ kind, ...more })
const by = { pid: 7, comm: 'node' }
export const connection = (more: object) =>
  did('connection', {
    ...by,
    address: '203.0.113.9',
    port: 443,
    host: 'api.example',
    verdict: 'allowed',
    ...more,
  })
export const exec = (more: object) =>
  did('exec', { ...by, path: '/usr/bin/node', isAnonymous: false, ...more })
export const call = (name: string) => did('sensitive', { ...by, call: name, detail: '' })
export const textMismatch = did('text-mismatch', { ...by, path: '/usr/bin/node', offset: 4096 })
export const anonymousText = (bytes: number) => did('anonymous-text', { ...by, bytes })
export const interval = (more: object) =>
  did('interval', {
    milliseconds: 10_000,
    cpuMillis: 100,
    memoryMiB: 100,
    processes: 1,
    bytesSent: 1,
    bytesReceived: 1,
    modelTokens: 10,
    modelMicroUsd: 10,
    systemCalls: { read: 4 },
    opens: { '/tmp r': 1 },
    ...more,
  })
export const pluginCall = (octet: string) =>
  did('plugin-call', { plugin: 'tax', digest: digest(octet), outcome: 'returned', milliseconds: 3 })
export const changed = did('changed', {
  path: '/opt/agent/main.js',
  from: digest('01'),
  to: digest('99'),
})
export const blind = did('blind', { reason: 'the sensor ended' })
export const reaction = (action: string) =>
  did('reaction', { action, reason: 'ptrace', microseconds: 150 })

const modes = 'files kernel-events memory-text rtmr3 sandbox'

/** Everything that is watched and approved, in a session that goes on, with a quote. */
export const good: RuntimeSubject = {
  release,
  statement: { boot: 'b'.repeat(36), seq: '4', dropped: '3', uptime: '61000', collector, modes },
  before: { seq: 3, dropped: 2, uptimeMs: 60_000, boot: 'b'.repeat(36), collector, modes },
  measurement: [
    loaded('code', '/opt/agent/main.js', '01'),
    loaded('code', '/anywhere/else.js', '11'),
    loaded('executable', '/usr/bin/node', '02'),
    loaded('library', '/usr/lib/libc.so.6', '03'),
    loaded('model', 'llama-small', '04'),
    loaded('plugin', '/opt/agent/plugins/tax.wasm', '05'),
    loaded('plugin', 'sums', '15'),
    loaded('configuration', '/etc/agent.json', '06'),
    loaded('configuration', '/etc/limits.json', '16'),
    loaded('state', '/var/agent/prompt.md', '07'),
    loaded('state', '/var/agent/memory/a/b.json', '77'),
    loaded('environment', 'environment', '08'),
  ],
  behaviour: [
    interval({}),
    connection({}),
    connection({ host: '', address: '10.0.0.7', port: 5432 }),
    connection({ host: '', address: '::ffff:10.0.0.7', port: 5432 }),
    exec({}),
    call('memfd_create'),
    anonymousText(256 * 1024),
    pluginCall('05'),
    pluginCall('15'),
    reaction('deny'),
  ],
  usage: { ...noUsage, modelTokensPerMinute: 60_000, modelMicroUsd: 50_000_000, cpuMillis: 2000 },
  register: { quoted: 'ab'.repeat(48), replayed: 'ab'.repeat(48) },
  revoked: new Map([['ee'.repeat(32), 'CVE-2026-0001']]),
}

export function findingsOf(
  subject: RuntimeSubject,
  checks: readonly Check<RuntimeSubject>[] = runtimeChecks,
): readonly Finding[] {
  const findings: Finding[] = []
  judgeAll(checklist(checks), subject, new Map(), findings)
  return findings
}

export function failing(
  subject: RuntimeSubject,
  checks?: readonly Check<RuntimeSubject>[],
): readonly string[] {
  return findingsOf(subject, checks)
    .filter(({ outcome }) => outcome === 'fail' || outcome === 'not-reached')
    .map(({ id }) => id)
}
