/** A session in one line, and in the colour of its state. */
import type { SessionState } from '../rats/session-message.ts'
import type { SessionLine } from '../service/session-report.ts'
import { type Paint, printable, shortened, type Tone } from './text.ts'

const tones: Readonly<Record<SessionState, Tone>> = {
  NEW: 'faint',
  ACTIVE: 'good',
  LATE: 'doubtful',
  SUSPENDED: 'doubtful',
  QUARANTINED: 'bad',
  REVOKED: 'bad',
  CLOSED: 'faint',
}

export function stateText(state: SessionState, paint: Paint): string {
  return paint(tones[state], state.padEnd(11))
}

export function lineText(session: SessionLine, paint: Paint): string {
  const { id, environment, agent, state, heardAt, seq, measurements, demanded, reason } = session
  const told = [
    `heard ${heardAt}`,
    `${seq} messages`,
    `${measurements} measured`,
    ...(demanded ? [`quote demanded (${demanded})`] : []),
    ...(reason === '' ? [] : [printable(shortened(reason))]),
  ]
  return `${stateText(state, paint)} ${id}  ${printable(`${environment}/${agent}`)}  ${told.join(', ')}\n`
}
