/** What may an agent load by one release that it may not load by another? For whoever approves the change. */
import type { RuntimeLimits } from '../../rats/release.ts'
import { listLine } from '../documents/measurement-list.ts'

export interface MeasurementDifference {
  /** As lists spell them, sorted. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

export function measurementDifference(
  from: RuntimeLimits | undefined,
  to: RuntimeLimits | undefined,
): MeasurementDifference {
  const [before, after] = [approvedBy(from), approvedBy(to)]
  return {
    added: [...after.difference(before)].sort(),
    removed: [...before.difference(after)].sort(),
  }
}

function approvedBy(limits: RuntimeLimits | undefined): ReadonlySet<string> {
  return new Set([
    ...(limits?.measurements ?? []).map(({ kind, digest, path = '(anywhere)' }) =>
      listLine(kind, digest, path),
    ),
    ...(limits?.lists ?? []).flatMap(({ lines }) => [...lines]),
  ])
}
