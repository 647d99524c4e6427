/** One message for each runtime check that this check alone refuses. */
import type { RuntimeSubject } from '#src/policy/runtime/runtime-subject.ts'
import {
  anonymousText,
  blind,
  call,
  changed,
  connection,
  digest,
  exec,
  good,
  loaded,
  pluginCall,
  reaction,
  releaseWith,
  section,
  textMismatch,
} from './subjects.ts'

const stored = {
  seq: 3,
  dropped: 2,
  uptimeMs: 60_000,
  boot: good.statement.boot,
  collector: good.statement.collector,
  modes: good.statement.modes,
}

/** Another statement over the same events. */
function said(more: Partial<RuntimeSubject['statement']>): RuntimeSubject {
  return { ...good, statement: { ...good.statement, ...more } }
}

/** As it watched from the beginning. */
function watching(modes: string): RuntimeSubject {
  return { ...said({ modes }), before: { ...stored, modes } }
}

function measuring(event: string): RuntimeSubject {
  return { ...good, measurement: [...good.measurement, event] }
}

function behaving(event: string): RuntimeSubject {
  return { ...good, behaviour: [...good.behaviour, event] }
}

function spending(more: Partial<RuntimeSubject['usage']>): RuntimeSubject {
  return { ...good, usage: { ...good.usage, ...more } }
}

/** Check id to messages. */
export const vectors: Readonly<Record<string, readonly RuntimeSubject[]>> = {
  'runtime.events.well-formed': [
    measuring('{'),
    measuring(JSON.stringify({ kind: 'code', path: '/opt/agent/main.js', digest: 'sha256:0' })),
    measuring(loaded('kernel', '/boot/vmlinuz', '01')),
    behaving(connection({ more: 1 })),
    behaving('"interval"'),
    behaving(JSON.stringify('x'.repeat(20_000))),
  ],
  'runtime.collector.approved': [
    // The session before cannot tell: it is the same collector that was never approved.
    {
      ...said({ collector: digest('c1') }),
      before: { ...stored, collector: digest('c1') },
    },
  ],
  'runtime.modes.known': [
    watching('files kernel-events memory-text rtmr3 sandbox telepathy'),
    watching('kernel-events files memory-text rtmr3 sandbox'),
    watching('files  kernel-events memory-text rtmr3 sandbox'),
    watching('files files kernel-events memory-text rtmr3 sandbox'),
  ],
  'runtime.files.watched': [watching('kernel-events memory-text rtmr3 sandbox')],
  'runtime.kernel-events.watched': [watching('files memory-text rtmr3 sandbox')],
  'runtime.memory-text.watched': [
    {
      ...watching('files kernel-events rtmr3 sandbox'),
      release: releaseWith(section.replace('rtmr3]', 'rtmr3, memory-text]')),
    },
  ],
  'runtime.rtmr3.watched': [watching('files kernel-events memory-text sandbox')],
  'runtime.sandbox.watched': [
    {
      ...watching('files kernel-events memory-text rtmr3'),
      release: releaseWith(section.replace('rtmr3]', 'rtmr3, sandbox]')),
    },
  ],
  'runtime.boot.unchanged': [said({ boot: 'a'.repeat(36) })],
  'runtime.collector.unchanged': [
    {
      ...said({ collector: digest('c1') }),
      release: releaseWith(section.replace('collectors: [', `collectors: ["${digest('c1')}", `)),
    },
  ],
  'runtime.modes.unchanged': [said({ modes: 'files kernel-events rtmr3' })],
  'runtime.seq.next': [said({ seq: '3' }), said({ seq: '5' }), said({ seq: '' })],
  'runtime.uptime.monotonic': [said({ uptime: '59999' }), said({ uptime: '-1' })],
  'runtime.dropped.monotonic': [said({ dropped: '1' })],
  'runtime.dropped.within-limit': [said({ dropped: '11' })],
  'runtime.code.approved': [
    measuring(loaded('code', '/opt/agent/main.js', '99')),
    measuring(loaded('code', '/opt/agent/other.js', '01')),
    // What is approved as configuration is no code.
    measuring(loaded('code', '/etc/agent.json', '06')),
  ],
  'runtime.executable.approved': [
    measuring(loaded('executable', '/usr/bin/nc', '99')),
    // A script that may be read may not be started, nor a library.
    measuring(loaded('executable', '/opt/agent/main.js', '01')),
    measuring(loaded('executable', '/usr/lib/libc.so.6', '03')),
  ],
  'runtime.library.approved': [
    measuring(loaded('library', '/tmp/preloaded.so', '99')),
    measuring(loaded('library', '/opt/agent/main.js', '01')),
  ],
  'runtime.model.approved': [
    measuring(loaded('model', 'llama-small', '99')),
    measuring(loaded('model', 'llama-large', '04')),
  ],
  'runtime.plugin.approved': [measuring(loaded('plugin', 'sums', '99'))],
  'runtime.configuration.approved': [measuring(loaded('configuration', '/etc/agent.json', '99'))],
  'runtime.state.approved': [
    measuring(loaded('state', '/var/agent/prompt.md', '99')),
    measuring(loaded('state', '/var/agent/other.md', '07')),
    measuring(loaded('state', '/var/agent/memory', '99')),
    measuring(loaded('state', '/var/agent/memory/../prompt.md', '99')),
  ],
  'runtime.environment.approved': [measuring(loaded('environment', 'environment', '99'))],
  'runtime.measurements.not-revoked': [
    { ...good, revoked: new Map([['02'.repeat(32), 'CVE-2026-0002']]) },
  ],
  'runtime.exec.approved': [
    // Of a file that was gone before anybody could measure it.
    behaving(exec({ path: '/tmp/gone' })),
  ],
  'runtime.exec.from-file': [behaving(exec({ path: 'memfd:x', isAnonymous: true }))],
  'runtime.memory-text.unchanged': [behaving(textMismatch)],
  'runtime.anonymous-text.within-limit': [behaving(anonymousText(256 * 1024 + 1))],
  'runtime.system-calls.allowed': [behaving(call('ptrace'))],
  'runtime.egress.allowed': [
    behaving(connection({ host: 'evil.example' })),
    behaving(connection({ port: 8443 })),
    behaving(connection({ verdict: 'denied' })),
    behaving(connection({ host: '' })),
    // Resolved from a name that is not allowed, to an address that is.
    behaving(connection({ host: 'evil.example', address: '10.0.0.7', port: 5432 })),
  ],
  'runtime.files.unchanged': [behaving(changed)],
  'runtime.sensor.unbroken': [behaving(blind)],
  'runtime.plugin-calls.approved': [behaving(pluginCall('01'))],
  'runtime.reactions.none': [behaving(reaction('freeze')), behaving(reaction('kill'))],
  'runtime.model-tokens.within-budget': [spending({ modelTokensPerMinute: 60_001 })],
  'runtime.model-costs.within-budget': [spending({ modelMicroUsd: 50_000_001 })],
  'runtime.cpu.within-budget': [spending({ cpuMillis: 2001 })],
  'runtime.memory.within-budget': [spending({ memoryMiB: 513 })],
  'runtime.rtmr3.replayed': [
    { ...good, register: { quoted: 'ac'.repeat(48), replayed: 'ab'.repeat(48) } },
    { ...good, register: { quoted: undefined, replayed: 'ab'.repeat(48) } },
  ],
}
