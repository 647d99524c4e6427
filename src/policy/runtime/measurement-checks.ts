/** Was only loaded what the release approves? One question for each kind of thing, over what is new with this message. */
import { type Check, notApplicable } from '../../rats/check.ts'
import type { Claim } from '../../rats/claim.ts'
import { type MeasurementKind, measurementKinds } from '../../rats/runtime-event.ts'
import { visible } from '../visible-text.ts'
import { approvedInstead, isApproved } from './approved.ts'
import { unlessOffended } from './offending.ts'
import { measurementsIn, type RuntimeSubject, watchesMode } from './runtime-subject.ts'

interface Loaded {
  readonly informs: Claim
  /** Of what the agent did with it. */
  readonly what: string
  /** Where it is approved. */
  readonly field: string
}

const kinds: Readonly<Record<MeasurementKind, Loaded>> = {
  code: {
    informs: 'executables',
    what: 'code was loaded',
    field: 'spec.runtime.measurements or lists',
  },
  executable: {
    informs: 'executables',
    what: 'programs were started',
    field: 'spec.runtime.measurements or lists',
  },
  library: {
    informs: 'executables',
    what: 'libraries were mapped',
    field: 'spec.runtime.measurements or lists',
  },
  model: { informs: 'sourced-data', what: 'models were loaded', field: 'spec.models' },
  plugin: {
    informs: 'executables',
    what: 'plugins were loaded',
    field: 'spec.artifacts, spec.runtime.measurements or lists',
  },
  configuration: {
    informs: 'configuration',
    what: 'configurations were read',
    field: 'spec.artifacts, spec.runtime.measurements or lists',
  },
  state: { informs: 'sourced-data', what: 'state was changed', field: 'spec.runtime.state' },
  environment: {
    informs: 'configuration',
    what: 'environment variables are set',
    field: 'spec.runtime.measurements',
  },
}

const UNWATCHED = notApplicable('the collector does not watch files, and reported none')
const ENOUGH = 3

export const measurementChecks: readonly Check<RuntimeSubject>[] = [
  ...measurementKinds.map(approved),
  {
    id: 'runtime.measurements.not-revoked',
    informs: 'executables',
    cites: 'docs/policy.md, revoked/: spec.digests',
    judge({ measurement, revoked }) {
      if (!revoked) return notApplicable('the revocations of the policy were not asked')
      const hits = measurementsIn(measurement).events.flatMap(({ kind, path, digest }) => {
        const reason = revoked.get(digest.slice('sha256:'.length))
        return reason === undefined ? [] : [`${kind} ${path} (${digest}, ${reason})`]
      })
      return unlessOffended({
        what: 'what was loaded is revoked',
        each: hits,
        expected: 'no digest that revoked/ lists',
        next: 'release the agent without it, or have the entry taken out of revoked/',
      })
    },
  },
]

function approved(kind: MeasurementKind): Check<RuntimeSubject> {
  const { informs, what, field } = kinds[kind]
  return {
    id: `runtime.${kind}.approved`,
    informs,
    cites: `docs/policy.md, ${field}`,
    judge(subject) {
      const { release, measurement } = subject
      const own = measurementsIn(measurement).events.filter((event) => event.kind === kind)
      if (own.length === 0 && !watchesMode(subject, 'files')) return UNWATCHED
      const unknown = own.filter((event) => !isApproved(release, event))
      return unlessOffended({
        what: `${what} that ${release.manifest.file} does not approve`,
        each: unknown.map(({ path, digest }) => `${path} (${digest})`),
        expected: unknown.slice(0, ENOUGH).flatMap((event) => insteadOf(release, event)),
        next: `approve it in ${field}, or find out how it got there`,
      })
    },
  }
}

function insteadOf(
  release: RuntimeSubject['release'],
  event: { readonly kind: MeasurementKind; readonly path: string },
): readonly string[] {
  const instead = approvedInstead(release, event)
  const path = visible(event.path)
  return instead.length === 0
    ? [`nothing at ${path}`]
    : instead.map((digest) => `${path} (${digest})`)
}
