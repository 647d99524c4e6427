/** What a session has spent of its budget so far, by what its collector says. Kept with the session. */

export interface RuntimeUsage {
  /** ISO 8601: the day (UTC) that the sums below are of. */
  readonly day: string
  readonly modelMicroUsd: number
  /** Over the last minute, fading evenly. */
  readonly modelTokensPerMinute: number
  /** The highest of the last message's intervals: thousandths of a core, memory. */
  readonly cpuMillis: number
  readonly memoryMiB: number
}

export const noUsage: RuntimeUsage = {
  day: '',
  modelMicroUsd: 0,
  modelTokensPerMinute: 0,
  cpuMillis: 0,
  memoryMiB: 0,
}
