/** What does a failing runtime check cost the session? */
import type { Finding } from '../../rats/check.ts'

/**
 * `quarantine`: tokens are revoked, and only an operator lets it go on. `suspend`: nothing new until a full quote was
 * accepted. `step-up`: a full quote is demanded at once, and until then all goes on.
 */
export type Consequence = 'none' | 'step-up' | 'suspend' | 'quarantine'

const fromMildest: readonly Consequence[] = ['none', 'step-up', 'suspend', 'quarantine']

/** Of every runtime check. What was lost or spent can be mended; what was loaded or done cannot be taken back. */
export const consequences: Readonly<Record<string, Exclude<Consequence, 'none'>>> = {
  'runtime.events.well-formed': 'quarantine',
  'runtime.collector.approved': 'quarantine',
  'runtime.modes.known': 'quarantine',
  'runtime.files.watched': 'quarantine',
  'runtime.kernel-events.watched': 'quarantine',
  'runtime.memory-text.watched': 'quarantine',
  'runtime.rtmr3.watched': 'quarantine',
  'runtime.sandbox.watched': 'quarantine',
  'runtime.boot.unchanged': 'quarantine',
  'runtime.collector.unchanged': 'quarantine',
  'runtime.modes.unchanged': 'quarantine',
  'runtime.seq.next': 'quarantine',
  'runtime.uptime.monotonic': 'quarantine',
  'runtime.dropped.monotonic': 'quarantine',
  'runtime.dropped.within-limit': 'suspend',
  'runtime.code.approved': 'quarantine',
  'runtime.executable.approved': 'quarantine',
  'runtime.library.approved': 'quarantine',
  'runtime.model.approved': 'quarantine',
  'runtime.plugin.approved': 'quarantine',
  'runtime.configuration.approved': 'quarantine',
  'runtime.state.approved': 'quarantine',
  'runtime.environment.approved': 'quarantine',
  'runtime.measurements.not-revoked': 'quarantine',
  'runtime.exec.approved': 'quarantine',
  'runtime.exec.from-file': 'quarantine',
  'runtime.memory-text.unchanged': 'quarantine',
  'runtime.anonymous-text.within-limit': 'quarantine',
  'runtime.system-calls.allowed': 'quarantine',
  'runtime.egress.allowed': 'quarantine',
  'runtime.files.unchanged': 'quarantine',
  'runtime.sensor.unbroken': 'quarantine',
  'runtime.plugin-calls.approved': 'quarantine',
  // What made it necessary has an event and a check of its own.
  'runtime.reactions.none': 'step-up',
  'runtime.model-tokens.within-budget': 'step-up',
  'runtime.model-costs.within-budget': 'suspend',
  'runtime.cpu.within-budget': 'step-up',
  'runtime.memory.within-budget': 'step-up',
  'runtime.rtmr3.replayed': 'quarantine',
}

/** The gravest of all. A failing check that the table does not name quarantines: unknown means no. */
export function consequenceOf(findings: readonly Finding[]): Consequence {
  let gravest: Consequence = 'none'
  for (const { id, outcome } of findings) {
    if (outcome !== 'fail' && outcome !== 'not-reached') continue
    const consequence = Object.hasOwn(consequences, id) ? consequences[id] : undefined
    gravest = graver(gravest, consequence ?? 'quarantine')
  }
  return gravest
}

function graver(a: Consequence, b: Consequence): Consequence {
  return fromMildest.indexOf(a) >= fromMildest.indexOf(b) ? a : b
}
