/** What differs between two policies: their manifests, and the verdicts about agents that were seen. */
import type { Policy } from '../policy/policy.ts'
import {
  type MeasurementDifference,
  measurementDifference,
} from '../policy/runtime/measurement-difference.ts'
import { sameRelease } from '../service/policy-comparison.ts'
import type { DriftEntry } from '../service/policy-ports.ts'
import { coloured, counted, plain, printable } from './text.ts'

export interface Comparison {
  readonly manifests: readonly ManifestDifference[]
  readonly examined: number
  readonly unexaminable: number
  readonly changed: number
  readonly entries: readonly DriftEntry[]
}

interface ManifestDifference {
  readonly file: string
  readonly change: 'added' | 'changed' | 'removed'
  /** What its agent may load from now on, and no more. */
  readonly measurements: MeasurementDifference
}

export function manifestsThatDiffer(from: Policy, to: Policy): readonly ManifestDifference[] {
  const [before, after] = [from, to].map(
    ({ releases }) => new Map(releases.map((release) => [release.manifest.file, release])),
  )
  const files = new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])])
  return [...files].toSorted().flatMap((file) => {
    const [old, next] = [before?.get(file), after?.get(file)]
    if (sameRelease(old, next)) return []
    const measurements = measurementDifference(old?.runtime, next?.runtime)
    return [{ file, change: !old ? 'added' : next ? 'changed' : 'removed', measurements }]
  })
}

export function comparisonText(comparison: Comparison, colour: boolean): string {
  const { manifests, examined, unexaminable, changed, entries } = comparison
  const paint = colour ? coloured : plain
  const unseen = changed - entries.length
  return `${[
    ...manifests.flatMap(({ file, change, measurements }) => [
      `${change.padEnd(8)} ${printable(file)}`,
      ...loadable('may load now', measurements.added),
      ...loadable('may no longer load', measurements.removed),
    ]),
    ...(manifests.length === 0 ? ['No manifest differs.'] : []),
    '',
    ...entries.flatMap((entry) => [
      `${paint(entry.after === 'issued' ? 'good' : 'bad', entry.after === 'issued' ? 'rises' : 'falls')}    ${printable(`${entry.environment}/${entry.agent}`)}: ${entry.before} before, ${entry.after} after (appraisal ${printable(entry.appraisal)})`,
      ...listed('fails now', entry.nowFailing),
      ...listed('passes now', entry.noLongerFailing),
    ]),
    ...(unseen > 0 ? [`and ${unseen} more`] : []),
    `${changed === 0 ? paint('good', 'No verdict changes') : paint('bad', `${counted(changed, 'verdict')} would change`)}: ${counted(examined, 'piece')} of stored evidence appraised again${unexaminable > 0 ? `, ${unexaminable} that could not be` : ''}.`,
  ].join('\n')}\n`
}

const MOST_LINES = 8

function loadable(what: string, lines: readonly string[]): readonly string[] {
  const unseen = lines.length - MOST_LINES
  return [
    ...lines.slice(0, MOST_LINES).map((line) => `         ${what}: ${printable(line)}`),
    ...(unseen > 0 ? [`         ${what}: ${unseen} more`] : []),
  ]
}

function listed(name: string, ids: readonly string[]): readonly string[] {
  return ids.length === 0 ? [] : [`         ${name}: ${ids.map(printable).join(', ')}`]
}
