/** Is this still the same machine, watched by the same approved collector as closely as the manifest asks? */
import { type Check, notApplicable, refuse } from '../../rats/check.ts'
import { type Watch, watches } from '../../rats/transcript.ts'
import { visible } from '../visible-text.ts'
import {
  behavioursIn,
  limitsOf,
  measurementsIn,
  type RuntimeSubject,
  type SessionBefore,
  watchesMode,
} from './runtime-subject.ts'

const DESIGN = 'docs/design.md, section 8'
const FIRST = notApplicable('nothing of this session is stored that it could differ from')

/** What is said where something is not watched and need not be. */
const unwatched: Readonly<Record<Watch, string>> = {
  files: 'nobody measures the files that the agent loads, and the manifest does not ask for it',
  'kernel-events':
    'this runtime evidence has no kernel source: what is started, connected and called is not watched, and the manifest does not ask for it',
  'memory-text':
    'executable memory is not compared with its files, and the manifest does not ask for it',
  rtmr3: 'no register of the hardware is extended, and the manifest does not ask for it',
  sandbox: 'no sandbox for plugins is reported, and the manifest does not ask for one',
}

export const sessionChecks: readonly Check<RuntimeSubject>[] = [
  {
    id: 'runtime.events.well-formed',
    informs: 'runtime-opaque',
    cites: `${DESIGN}; src/rats/runtime-event.ts`,
    judge({ measurement, behaviour }) {
      const chains = {
        measurement: measurementsIn(measurement),
        behaviour: behavioursIn(behaviour),
      }
      for (const [chain, { malformed }] of Object.entries(chains))
        if (malformed.length > 0)
          return refuse(
            `${malformed.length} ${chain} events of this message, the first in place ${malformed[0]}, are none that this build knows: use a collector of the same version`,
            malformed.length,
            0,
          )
      return true
    },
  },
  {
    id: 'runtime.collector.approved',
    informs: 'runtime-opaque',
    cites: 'docs/policy.md, spec.runtime.collectors',
    judge(subject) {
      const { file } = subject.release.manifest
      if (!subject.release.runtime)
        return refuse(
          `${file} has no section runtime, so nothing says what the running agent may do: add one`,
          null,
          'spec.runtime',
        )
      const { collectors } = subject.release.runtime
      const { collector } = subject.statement
      return (
        collectors.includes(collector) ||
        refuse(
          `the collector ${visible(collector)} is not approved: put its digest into spec.runtime.collectors of ${file}, if it is yours`,
          collector,
          collectors,
        )
      )
    },
  },
  {
    id: 'runtime.modes.known',
    informs: 'runtime-opaque',
    cites: `${DESIGN}; src/rats/transcript.ts, watches`,
    judge({ statement: { modes } }) {
      const known = [...watches].sort().filter((mode) => modes.split(' ').includes(mode))
      return (
        modes === known.join(' ') ||
        refuse(
          `the collector says that it watches "${visible(modes)}", which is no sorted list of what this build knows: use a collector of the same version`,
          visible(modes),
          watches,
        )
      )
    },
  },
  ...watches.map(watched),
  unchanged('runtime.boot.unchanged', 'boot', 'the machine was started again, or is another one'),
  unchanged('runtime.collector.unchanged', 'collector', 'another collector speaks for the session'),
  unchanged('runtime.modes.unchanged', 'modes', 'the collector no longer watches what it watched'),
  {
    id: 'runtime.seq.next',
    informs: 'runtime-opaque',
    cites: `${DESIGN}: sequence numbers`,
    judge({ before, statement: { seq } }) {
      if (!before) return FIRST
      const next = before.seq + 1
      return (
        seq === String(next) ||
        refuse(
          `the message is number ${visible(seq)} of its session, and ${next} is due: go on from where the last answer stands, or open another session`,
          seq,
          next,
        )
      )
    },
  },
  rising('runtime.uptime.monotonic', 'uptime', (before) => before.uptimeMs),
  rising('runtime.dropped.monotonic', 'dropped', (before) => before.dropped),
  {
    id: 'runtime.dropped.within-limit',
    informs: 'runtime-opaque',
    cites: 'docs/policy.md, spec.runtime.mostDropped',
    judge(subject) {
      const { mostDropped } = limitsOf(subject)
      const dropped = countIn(subject.statement.dropped)
      return (
        dropped <= mostDropped ||
        refuse(
          `the collector lost ${dropped} events and ${mostDropped} are tolerated: nobody knows what the agent did meanwhile`,
          dropped,
          mostDropped,
        )
      )
    },
  },
]

function watched(mode: Watch): Check<RuntimeSubject> {
  const missing = notApplicable(unwatched[mode])
  return {
    id: `runtime.${mode}.watched`,
    informs: 'runtime-opaque',
    cites: 'docs/policy.md, spec.runtime.watch',
    judge(subject) {
      if (watchesMode(subject, mode)) return true
      if (!limitsOf(subject).watch.includes(mode)) return missing
      return refuse(
        `spec.runtime.watch of ${subject.release.manifest.file} asks for ${mode}, which the collector does not watch: start it with what it needs`,
        visible(subject.statement.modes),
        limitsOf(subject).watch,
      )
    },
  }
}

function unchanged(
  id: string,
  field: 'boot' | 'collector' | 'modes',
  what: string,
): Check<RuntimeSubject> {
  return {
    id,
    informs: field === 'boot' ? 'instance-identity' : 'runtime-opaque',
    cites: `${DESIGN}; docs/sessions.md`,
    judge({ before, statement }) {
      if (!before) return FIRST
      return (
        statement[field] === before[field] ||
        refuse(`${what}: open another session`, visible(statement[field]), visible(before[field]))
      )
    },
  }
}

function rising(
  id: string,
  field: 'uptime' | 'dropped',
  stored: (before: SessionBefore) => number,
): Check<RuntimeSubject> {
  return {
    id,
    informs: 'runtime-opaque',
    cites: `${DESIGN}; src/rats/transcript.ts, ${field}`,
    judge({ before, statement }) {
      if (!before) return FIRST
      const [now, then] = [countIn(statement[field]), stored(before)]
      return (
        now >= then ||
        refuse(`${field} was ${then} and fell to ${now}: the history was rewritten`, now, then)
      )
    },
  }
}

/** Decimal text. Throws for whatever else, and the check is then not judged, which is a refusal. */
function countIn(text: string): number {
  const count = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(count)) throw new TypeError(`${visible(text)} is no count`)
  return count
}
