/** Did the agent do only what its manifest allows? One question for each kind of event that is worth a line of its own. */
import { type Check, notApplicable } from '../../rats/check.ts'
import type { Claim } from '../../rats/claim.ts'
import type { Behaviour } from '../../rats/runtime-event.ts'
import type { Watch } from '../../rats/transcript.ts'
import { isApprovedPlugin, mayStart } from './approved.ts'
import { unlessOffended } from './offending.ts'
import {
  behavioursIn,
  limitsOf,
  measurementsIn,
  type RuntimeSubject,
  watchesMode,
} from './runtime-subject.ts'

type Kind = Behaviour['kind']
type EventOf<K extends Kind> = Extract<Behaviour, { readonly kind: K }>

interface Rule<K extends Kind> {
  readonly id: string
  readonly informs: Claim
  /** Of docs/policy.md. */
  readonly field: string
  readonly kind: K
  /** Who would have seen it. Undefined: whatever watches. */
  readonly seenBy: Watch | undefined
  readonly isAllowed: (event: EventOf<K>, subject: RuntimeSubject) => boolean
  readonly what: string
  readonly say: (event: EventOf<K>) => string
  readonly expected: (subject: RuntimeSubject) => string | readonly string[]
  readonly next: string
}

const by = ({ pid, comm }: { readonly pid: number; readonly comm: string }) => `${comm} (${pid})`

export const behaviourChecks: readonly Check<RuntimeSubject>[] = [
  rule({
    id: 'runtime.exec.approved',
    informs: 'executables',
    field: 'spec.runtime.measurements and lists',
    kind: 'exec',
    seenBy: 'kernel-events',
    // A path that is measured in this message is judged by its digest.
    isAllowed: ({ path, isAnonymous }, { release, measurement }) =>
      isAnonymous ||
      mayStart(release, path) ||
      measurementsIn(measurement).events.some(
        (event) => event.kind === 'executable' && event.path === path,
      ),
    what: 'programs were started that nobody approved and nobody could measure',
    say: (event) => `${event.path} by ${by(event)}`,
    expected: () => 'paths of approved executables',
    next: 'approve the executable with its path, or find out who started it',
  }),
  rule({
    id: 'runtime.exec.from-file',
    informs: 'executables',
    field: 'spec.runtime',
    kind: 'exec',
    seenBy: 'kernel-events',
    isAllowed: ({ isAnonymous }) => !isAnonymous,
    what: 'programs were started from memory, without a file',
    say: (event) => `${event.path} by ${by(event)}`,
    expected: () => 'none',
    next: 'nothing allows this: treat the machine as taken over',
  }),
  rule({
    id: 'runtime.memory-text.unchanged',
    informs: 'executables',
    field: 'spec.runtime',
    kind: 'text-mismatch',
    seenBy: 'memory-text',
    isAllowed: () => false,
    what: 'executable memory is not what its file says',
    say: (event) => `${event.path} at ${event.offset} in ${by(event)}`,
    expected: () => 'none',
    next: 'nothing allows this: treat the process as taken over',
  }),
  rule({
    id: 'runtime.anonymous-text.within-limit',
    informs: 'executables',
    field: 'spec.runtime.anonymousTextKiB',
    kind: 'anonymous-text',
    seenBy: 'memory-text',
    isAllowed: ({ bytes }, subject) => bytes <= limitsOf(subject).anonymousTextKiB * 1024,
    what: 'there is more executable memory without a file than is allowed',
    say: (event) => `${event.bytes} bytes in ${by(event)}`,
    expected: (subject) => `${limitsOf(subject).anonymousTextKiB} KiB`,
    next: 'raise spec.runtime.anonymousTextKiB if the runtime compiles so much, or find out what was injected',
  }),
  rule({
    id: 'runtime.system-calls.allowed',
    informs: 'runtime-opaque',
    field: 'spec.runtime.sensitiveCalls',
    kind: 'sensitive',
    seenBy: 'kernel-events',
    isAllowed: ({ call }, subject) => limitsOf(subject).sensitiveCalls.includes(call),
    what: 'sensitive system calls were made that are not allowed',
    say: (event) => `${event.call} by ${by(event)}${event.detail && `: ${event.detail}`}`,
    expected: (subject) => limitsOf(subject).sensitiveCalls,
    next: 'allow the call in spec.runtime.sensitiveCalls, or find out who makes it',
  }),
  rule({
    id: 'runtime.egress.allowed',
    informs: 'runtime-opaque',
    field: 'spec.runtime.egress',
    kind: 'connection',
    seenBy: 'kernel-events',
    isAllowed: isWithinEgress,
    what: 'connections were tried that are not allowed',
    say: (event) =>
      `${event.host || event.address}:${event.port} (${event.verdict}) by ${by(event)}`,
    expected: (subject) => limitsOf(subject).egress.map(({ host, ports }) => `${host}:${ports}`),
    next: 'allow the destination in spec.runtime.egress, or find out what wants to get there',
  }),
  rule({
    id: 'runtime.files.unchanged',
    informs: 'file-system',
    field: 'spec.runtime',
    kind: 'changed',
    seenBy: 'files',
    isAllowed: () => false,
    what: 'files changed under the running agent',
    say: (event) => `${event.path} (${event.from} to ${event.to})`,
    expected: () => 'none',
    next: 'start the agent again from what is approved; what it may change itself belongs into spec.runtime.state',
  }),
  rule({
    id: 'runtime.sensor.unbroken',
    informs: 'runtime-opaque',
    field: 'spec.runtime.watch',
    kind: 'blind',
    seenBy: undefined,
    isAllowed: () => false,
    what: 'what watches the agent ended, or did not see for a while',
    say: (event) => event.reason,
    expected: () => 'none',
    next: 'nobody knows what the agent did meanwhile: start its machine again',
  }),
  rule({
    id: 'runtime.plugin-calls.approved',
    informs: 'executables',
    field: 'spec.artifacts',
    kind: 'plugin-call',
    seenBy: 'sandbox',
    isAllowed: ({ digest }, { release }) => isApprovedPlugin(release, digest),
    what: 'plugins were called that are not approved',
    say: (event) => `${event.plugin} (${event.digest})`,
    expected: ({ release }) =>
      release.artifacts.filter(({ kind }) => kind === 'plugin').map(({ digest }) => digest),
    next: 'approve the plugin as an artifact of kind plugin, or take it away from the agent',
  }),
  rule({
    id: 'runtime.reactions.none',
    informs: 'runtime-opaque',
    field: 'spec.runtime',
    kind: 'reaction',
    seenBy: undefined,
    // That a connection was denied, its own event says.
    isAllowed: ({ action }) => action === 'deny',
    what: 'the agent was stopped on the spot',
    say: (event) => `${event.action}: ${event.reason}`,
    expected: () => 'none',
    next: 'see for what, on the machine of the agent',
  }),
]

function rule<K extends Kind>(of: Rule<K>): Check<RuntimeSubject> {
  const { id, informs, field, kind, seenBy, isAllowed, what, say, expected, next } = of
  const unseen = notApplicable(`the collector does not watch ${seenBy}, and reported nothing of it`)
  return {
    id,
    informs,
    cites: `docs/policy.md, ${field}`,
    judge(subject) {
      const own = behavioursIn(subject.behaviour).events.filter(
        (event): event is EventOf<K> => event.kind === kind,
      )
      if (own.length === 0 && seenBy && !watchesMode(subject, seenBy)) return unseen
      const each = own.filter((event) => !isAllowed(event, subject)).map(say)
      return unlessOffended({ what, each, expected: expected(subject), next })
    },
  }
}

/** A denied one counts too: it got nowhere, and wanted to. */
function isWithinEgress(event: EventOf<'connection'>, subject: RuntimeSubject): boolean {
  // An IPv4 address as sockets of both families have it.
  const address = event.address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '')
  const name = event.host || address
  return (
    event.verdict === 'allowed' &&
    limitsOf(subject).egress.some(({ host, ports }) => host === name && ports.includes(event.port))
  )
}
