/** How a resource may be had, as flags, on the wire and in a sentence. */
import {
  BROKER_PATH,
  LONGEST_LEASE_SECONDS,
  MOST_APPROVALS,
  MOST_RELEASES_PER_MINUTE,
  SHORTEST_LEASE_SECONDS,
} from '../service/resource-name.ts'
import type { PutReport } from '../service/resource-report.ts'
import type { ResourceSettings, SettingsChange } from '../service/resource-settings.ts'
import { Mistake } from './arguments.ts'
import { counted, printable } from './text.ts'

export const resourceOptions = {
  use: { type: 'string' },
  approvals: { type: 'string' },
  lease: { type: 'string' },
  rate: { type: 'string' },
  'broker-path': { type: 'string' },
  session: { type: 'string' },
  simulated: { type: 'string' },
} as const

export const resourceOptionsHelp = `  --use USE              release (default), or decrypt or sign: a key that never leaves, and is used by the service
  --approvals N          operators that must agree before an agent's key may have it, without whoever put it (default 0)
  --lease SECONDS        for how long it may be used without asking again (default 300)
  --rate N               how often it is given out in a minute, to all agents together; off (default): without limit
  --broker-path PATH     where the Key Broker face serves it, as in default/key/1; none (default): nowhere
  --session WHICH        required: only inside a session; optional (default)
  --simulated WHICH      accepted: simulated evidence may have it, for what is no real secret; refused (default)`

type Settings = Pick<PutReport, keyof ResourceSettings>

/** What was given, for the service (where null takes away) and for the database. */
export interface GivenSettings {
  readonly wire: Partial<Settings>
  readonly change: SettingsChange
}

/** Throws Mistake. What is not given is in neither. */
export function settingsGiven(values: Readonly<Record<string, unknown>>): GivenSettings {
  const { use, approvals, lease, rate, 'broker-path': path, session, simulated } = values
  const wire: Partial<Settings> = {
    ...(use !== undefined && { use: oneOf('--use', use, ['release', 'decrypt', 'sign']) }),
    ...(approvals !== undefined && {
      approvals: whole('--approvals', approvals, [0, MOST_APPROVALS]),
    }),
    ...(lease !== undefined && {
      leaseSeconds: whole('--lease', lease, [SHORTEST_LEASE_SECONDS, LONGEST_LEASE_SECONDS]),
    }),
    ...(rate !== undefined && {
      releasesPerMinute:
        rate === 'off' ? null : whole('--rate', rate, [1, MOST_RELEASES_PER_MINUTE]),
    }),
    ...(path !== undefined && { brokerPath: path === 'none' ? null : brokerPath(path) }),
    ...(session !== undefined && {
      requiresSession: oneOf('--session', session, ['required', 'optional']) === 'required',
    }),
    ...(simulated !== undefined && { acceptsSimulated: isAccepted(simulated) }),
  }
  const { releasesPerMinute, brokerPath: at, ...rest } = wire
  return {
    wire,
    change: {
      ...rest,
      ...(releasesPerMinute !== undefined && { releasesPerMinute: releasesPerMinute ?? undefined }),
      ...(at !== undefined && { brokerPath: at ?? undefined }),
    },
  }
}

/** One line, without what holds for most. */
export function settingsText(settings: Settings): string {
  const { use, approvals, leaseSeconds, releasesPerMinute, brokerPath: at } = settings
  return [
    uses[use],
    approvals === 0 ? 'no approval' : `${counted(approvals, 'approval')} of other operators`,
    `lease ${leaseSeconds} s`,
    ...(releasesPerMinute === null ? [] : [`at most ${releasesPerMinute} a minute`]),
    ...(at === null ? [] : [`at ${printable(at)} of the Key Broker face`]),
    ...(settings.requiresSession ? ['only inside a session'] : []),
    ...(settings.acceptsSimulated ? ['to simulated evidence too'] : []),
  ].join(', ')
}

const uses: Readonly<Record<Settings['use'], string>> = {
  release: 'released',
  decrypt: 'decrypts here and never leaves',
  sign: 'signs here and never leaves',
}

function whole(option: string, given: unknown, [least, most]: readonly [number, number]): number {
  const number = /^\d{1,9}$/.test(String(given)) ? Number(given) : Number.NaN
  if (number >= least && number <= most) return number
  throw new Mistake(`${option} must be ${least} to ${most}.`, 'See `--help`.')
}

/** Of `--simulated`. Throws Mistake. */
export function isAccepted(simulated: unknown): boolean {
  return oneOf('--simulated', simulated, ['accepted', 'refused']) === 'accepted'
}

function oneOf<const T extends string>(option: string, given: unknown, all: readonly T[]): T {
  const found = all.find((each) => each === given)
  if (found !== undefined) return found
  throw new Mistake(`${option} must be ${all.join(' or ')}.`, 'See `vouchsafe release put --help`.')
}

function brokerPath(given: unknown): string {
  if (typeof given === 'string' && BROKER_PATH.test(given)) return given
  throw new Mistake(
    '--broker-path must be three segments with / between, as in default/key/1.',
    'Each has at most 64 letters, digits and any of _.-, and does not begin with a dot.',
  )
}
