/** The span of time over which a verified fact holds, both ends included. Caches keep it beside the fact and never a bare yes. */
export interface Interval {
  readonly notBefore: Date
  readonly notAfter: Date
}

export function holdsAt({ notBefore, notAfter }: Interval, at: Date): boolean {
  return notBefore.getTime() <= at.getTime() && at.getTime() <= notAfter.getTime()
}

/** Where all of the given intervals hold. Of none: nowhere. An empty intersection has notBefore after notAfter. */
export function intersection(intervals: readonly Interval[]): Interval {
  if (intervals.length === 0) return { notBefore: new Date(1), notAfter: new Date(0) }
  return {
    notBefore: new Date(Math.max(...intervals.map((each) => each.notBefore.getTime()))),
    notAfter: new Date(Math.min(...intervals.map((each) => each.notAfter.getTime()))),
  }
}
