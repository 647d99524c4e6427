/** Does a release approve this content, at this place, for this use? */
import type {
  AgentRelease,
  ApprovedState,
  MeasurementList,
  RuntimeLimits,
} from '../../rats/release.ts'
import type { Measurement, MeasurementKind } from '../../rats/runtime-event.ts'
import { listLine } from '../documents/measurement-list.ts'

/**
 * As what else it may have been approved: what may be started may be mapped, and what may be mapped may be read. Never the
 * other way round: that a script may be read does not let it be started.
 */
const impliedBy: Readonly<Partial<Record<MeasurementKind, readonly MeasurementKind[]>>> = {
  code: ['code', 'library', 'executable'],
  library: ['library', 'executable'],
}

export function isApproved(release: AgentRelease, measurement: Measurement): boolean {
  const { kind, path, digest } = measurement
  switch (kind) {
    case 'model':
      return release.models.some((model) => model.name === path && model.digest === digest)
    case 'state':
      return (release.runtime?.state ?? []).some(
        (state) =>
          covers(state, path) && (state.digests === 'any' || state.digests.includes(digest)),
      )
    case 'plugin':
      return isArtifact(release, 'plugin', digest) || isListed(release, measurement)
    case 'configuration':
      return (
        isArtifact(release, 'configuration', digest) ||
        digest === `sha256:${release.runtimeConfig?.sha256}` ||
        isListed(release, measurement)
      )
    default:
      return isListed(release, measurement)
  }
}

/** Whether a plugin of this content is approved, wherever it lies and whatever it is called. */
export function isApprovedPlugin(release: AgentRelease, digest: string): boolean {
  if (isArtifact(release, 'plugin', digest)) return true
  const { measurements = [], lists = [] } = release.runtime ?? {}
  return (
    measurements.some((entry) => entry.kind === 'plugin' && entry.digest === digest) ||
    lists.some((list) => pluginsOf(list).has(digest))
  )
}

/** A message may name thousands of plugins, and a list hold thousands of lines. */
function pluginsOf(list: MeasurementList): ReadonlySet<string> {
  const known = plugins.get(list)
  if (known) return known
  const own = list.lines.values().filter((line) => line.startsWith('plugin '))
  const digests = new Set(own.map((line) => `sha256:${line.slice(7, 71)}`))
  plugins.set(list, digests)
  return digests
}

const plugins = new WeakMap<MeasurementList, ReadonlySet<string>>()

/**
 * Whether something is approved to be started from this path. Where an executable is approved wherever it lies, only its
 * measurement can say: then every path may be.
 */
export function mayStart({ runtime }: AgentRelease, path: string): boolean {
  if (!runtime) return false
  return (
    runtime.measurements.some(
      (entry) => entry.kind === 'executable' && (entry.path === undefined || entry.path === path),
    ) || runtime.lists.some(({ programs }) => programs.has(path))
  )
}

/** At most so many are named to whoever reads why something was refused. */
const MOST_NAMED = 3

/** What is approved instead: digests for this path (for a model, this name), as `sha256:<hex>`. Slow: for refusals only. */
export function approvedInstead(
  { runtime, models }: AgentRelease,
  { kind, path }: Pick<Measurement, 'kind' | 'path'>,
): readonly string[] {
  if (kind === 'model')
    return models.filter(({ name }) => name === path).map(({ digest }) => digest)
  if (!runtime) return []
  const end = `  ${path}`
  return [
    ...runtime.measurements.filter((entry) => entry.path === path).map(({ digest }) => digest),
    ...runtime.state.flatMap((state) =>
      kind === 'state' && covers(state, path) && state.digests !== 'any' ? state.digests : [],
    ),
    ...runtime.lists.flatMap(({ lines }) =>
      lines
        .values()
        .filter((line) => line.endsWith(end))
        .map((line) => `sha256:${line.slice(line.indexOf(' ') + 1).slice(0, 64)}`)
        .take(MOST_NAMED)
        .toArray(),
    ),
  ].slice(0, MOST_NAMED)
}

function isArtifact({ artifacts }: AgentRelease, kind: string, digest: string): boolean {
  return artifacts.some((artifact) => artifact.kind === kind && artifact.digest === digest)
}

function isListed({ runtime }: AgentRelease, { kind, path, digest }: Measurement): boolean {
  if (!runtime) return false
  const inline = inlineOf(runtime)
  return (impliedBy[kind] ?? [kind]).some((as) => {
    const line = listLine(as, digest, path)
    return (
      inline.has(line) ||
      inline.has(listLine(as, digest, ANYWHERE)) ||
      runtime.lists.some(({ lines }: MeasurementList) => lines.has(line))
    )
  })
}

/** No path of a measurement is empty. */
const ANYWHERE = ''

function inlineOf(runtime: RuntimeLimits): ReadonlySet<string> {
  const known = inlines.get(runtime)
  if (known) return known
  const inline = new Set(
    runtime.measurements.map(({ kind, path = ANYWHERE, digest }) => listLine(kind, digest, path)),
  )
  inlines.set(runtime, inline)
  return inline
}

const inlines = new WeakMap<RuntimeLimits, ReadonlySet<string>>()

/** A path with dots could mean another place than the one that it begins with. */
function covers(state: ApprovedState, path: string): boolean {
  if (!state.path.endsWith('/**')) return path === state.path
  return path.startsWith(state.path.slice(0, -2)) && !/(^|\/)\.{0,2}(\/|$)/.test(path.slice(1))
}
