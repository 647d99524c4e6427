/** What `vouchsafe dev` prints of the agent that is watched: what was done to it, what followed, and after how many milliseconds. */
import type { DevService } from './dev.ts'
import { unexpectedLines } from './dev-report.ts'
import { counted, type Paint, printable } from './text.ts'

/** Or why it is not shown. */
export type DevWatched =
  | { readonly leftOut: string }
  | {
      readonly command: readonly string[]
      /** Folder of its code. */
      readonly code: string
      /** By hand: `agent run` sees all, or opens no session. */
      readonly takesRoot: boolean
      readonly show: () => Promise<WatchedShown>
    }

export type WatchedShown = WatchedStopped | WatchedFailed

interface WatchedStopped {
  readonly verdict: 'stopped'
  readonly session: string
  /** Requests of the agent that a relying party took, before and after it was tampered with. */
  readonly bookedBefore: number
  readonly bookedAfter: number
  readonly acts: readonly string[]
  /** Milliseconds since then. */
  readonly timeline: {
    readonly noticed: number
    readonly stopped: number
    readonly quarantined: number
    readonly tokenRefused: number
  }
  /** By the guard beside it. */
  readonly alarm: string
  readonly stoppedBy: 'cgroup' | 'SIGSTOP'
  readonly source: 'kernel events' | 'looks'
  /** Checks of the verifier, and its sentence. */
  readonly failing: readonly string[]
  readonly sentence: string
  /** By the relying party. */
  readonly refusal: string
  /** What could not be watched here, in words. */
  readonly unwatched: readonly string[]
}

interface WatchedFailed {
  readonly verdict: 'failed'
  readonly detail: string
  readonly unwatched: readonly string[]
}

export interface WatchedDemonstrated {
  /** Undefined: it was left out. */
  readonly shown: WatchedShown | undefined
  readonly leftOut: string | undefined
  readonly asExpected: boolean
}

export async function demonstrateWatched(watched: DevWatched): Promise<WatchedDemonstrated> {
  if ('leftOut' in watched) return { shown: undefined, leftOut: watched.leftOut, asExpected: true }
  const shown = await watched.show()
  return { shown, leftOut: undefined, asExpected: isExpected(shown) }
}

/** In that order: whoever hears of it later hears of what was done before. */
function isExpected(shown: WatchedShown): boolean {
  if (shown.verdict === 'failed') return false
  const { noticed, stopped, quarantined, tokenRefused } = shown.timeline
  return (
    shown.failing.length > 0 &&
    shown.bookedBefore > 0 &&
    noticed <= stopped &&
    stopped <= quarantined &&
    quarantined <= tokenRefused
  )
}

const WIDTH = 10

/** The third in the list of what is shown. */
export function watchedText(
  service: Pick<DevService, 'directory'>,
  watched: WatchedDemonstrated,
  paint: Paint,
): string {
  return [
    '',
    ...watchedLines(watched, paint),
    ...(watched.asExpected ? [] : unexpectedLines(service, paint)),
    '',
  ].join('\n')
}

function watchedLines({ shown, leftOut }: WatchedDemonstrated, paint: Paint): readonly string[] {
  const title = '3. invoice-bot, watched while it works'
  if (!shown) return [title, row('left out', printable(leftOut ?? ''))]
  if (shown.verdict === 'failed')
    return [
      title,
      row('verdict', paint('bad', 'NOT SHOWN')),
      row('because', printable(shown.detail)),
    ]
  const { timeline, failing, source } = shown
  return [
    `${title}, and tampered with`,
    row('session', `${shown.session}; a relying party took ${shown.bookedBefore} of its requests`),
    row(
      'watched by',
      source === 'kernel events'
        ? 'events of the kernel, and looks'
        : 'looks from outside, every second',
    ),
    ...shown.unwatched.map((text) => row('', paint('faint', `not watched here: ${text}`))),
    ...shown.acts.map((act, index) => row(index === 0 ? 'then' : '', printable(act))),
    at(timeline.noticed, `noticed on its machine: ${printable(shown.alarm)}`),
    at(timeline.stopped, paint('good', `frozen (${frozenBy(shown.stoppedBy)})`)),
    at(
      timeline.quarantined,
      paint('good', 'quarantined by the verifier, its tokens revoked, killed'),
    ),
    at(
      timeline.tokenRefused,
      paint('good', `its token refused by the relying party: ${printable(shown.refusal)}`),
    ),
    ...(shown.bookedAfter > 0
      ? [
          row(
            'meanwhile',
            `before it was frozen, the relying party took ${counted(shown.bookedAfter, 'more request')}`,
          ),
        ]
      : []),
    row('checks', failing.join(', ')),
    row('finding', printable(shown.sentence)),
  ]
}

function frozenBy(by: WatchedStopped['stoppedBy']): string {
  return by === 'cgroup'
    ? 'its cgroup, every process of it'
    : 'SIGSTOP, since no cgroup can be made here'
}

function at(ms: number, text: string): string {
  return `   ${`+${ms.toFixed(1)} ms`.padStart(WIDTH + 1)}  ${text}`
}

function row(name: string, text: string): string {
  return `   ${name.padEnd(WIDTH)} ${text}`
}
