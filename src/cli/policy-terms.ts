/** What several verbs of `vouchsafe policy` take: durations, ends, pins. Throws Mistake for what is none. */
import type { Start } from '../policy/acceptance/acceptance.ts'
import { Mistake } from './arguments.ts'
import { instantOf } from './conditions.ts'

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 24 * 3600 }

/** `90s`, `15m`, `24h`, `30d`, in milliseconds. */
export function durationOf(option: string, text: string): number {
  const [, digits = '', unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? []
  const factor = seconds[unit]
  if (factor === undefined)
    throw new Mistake(`--${option} ${text} is not a duration.`, 'Write 90s, 15m, 24h or 30d.')
  return Number.parseInt(digits, 10) * factor * 1000
}

/** An instant, or so long after `from`: whole seconds, which is all that statements hold. */
export function endOf(option: string, text: string, from: Date): Date {
  const end = /^\d+[a-z]$/.test(text)
    ? from.getTime() + durationOf(option, text)
    : instantOf(text, option).getTime()
  return new Date(Math.floor(end / 1000) * 1000)
}

export const FULL_NAME = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

/** As VOUCHSAFE_POLICY_PIN takes it. */
export function startAt(pin: string | undefined): Start {
  if (pin === undefined) return { kind: 'first-commit' }
  if (FULL_NAME.test(pin)) return { kind: 'commit', commit: pin }
  if (/^sha256:[0-9a-f]{64}$/.test(pin)) return { kind: 'trust-digest', digest: pin }
  throw new Mistake(
    `--pin ${pin} is neither a full commit name nor sha256: with 64 hex digits.`,
    'Take one that `vouchsafe policy pin` prints.',
  )
}
