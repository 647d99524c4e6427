/** What `vouchsafe doctor` asks of held endorsements: how old is what the vendors said, and how long does it hold? */
import type { Config } from '../config.ts'
import type { Examination, Warning } from './examination.ts'
import { counted } from './text.ts'

export interface CollateralPorts {
  readonly now: () => Date
  /** What is held and renewed with time. Asks no vendor. Throws Problem. */
  readonly heldCollateral: (config: Config) => Promise<readonly HeldCollateral[]>
}

export interface HeldCollateral {
  /** `amd-crl`, `intel-tcb-info`. */
  readonly document: string
  readonly fetchedAt: Date
  readonly notAfter: Date
}

const DAY_MS = 24 * 3600_000
/** A service renews lists twice a day: what is older was not renewed, and revocations since then are not seen. */
const OLD_MS = 2 * DAY_MS
const ENDS_SOON_MS = 3 * DAY_MS
/** Chains change once in years, and are renewed once a month. */
const slow: readonly string[] = ['amd-cert-chain']

export function collateralExamination(ports: CollateralPorts, config: Config): Examination {
  return {
    name: 'collateral',
    advice: config.vendors.offline
      ? '`vouchsafe collateral import` a fresh bundle, made by `fetch` and `export` on a machine with a way out.'
      : 'A running service renews it by itself; `vouchsafe collateral fetch` does so at once, and says what is in the way.',
    examine: async () => collateralText(await ports.heldCollateral(config), ports.now(), config),
  }
}

function collateralText(
  held: readonly HeldCollateral[],
  now: Date,
  { vendors }: Config,
): string | Warning {
  if (held.length === 0)
    return vendors.offline
      ? {
          warning: 'nothing is held, and no vendor is asked: evidence must bring its endorsements',
          advice: 'Import a bundle with `vouchsafe collateral import`, unless agents bring theirs.',
        }
      : 'nothing is held yet: what is needed is asked for'
  const past = held.filter(({ notAfter }) => notAfter < now)
  const ending = held.filter(({ notAfter }) => notAfter.getTime() < now.getTime() + ENDS_SOON_MS)
  const old = held.filter(
    ({ document, fetchedAt }) =>
      !slow.includes(document) && now.getTime() - fetchedAt.getTime() > OLD_MS,
  )
  const doubts = [
    ...(past.length > 0 ? [`${named(past)} ended: evidence that needs it is refused`] : []),
    ...(ending.length > past.length ? [`${named(ending)} ends within three days`] : []),
    ...(old.length > 0 ? [`${named(old)} was not renewed for two days or more`] : []),
  ]
  if (doubts.length > 0) return { warning: doubts.join('\n') }
  const oldest = Math.max(...held.map(({ fetchedAt }) => now.getTime() - fetchedAt.getTime()))
  return `${counted(held.length, 'document')} held, the oldest for ${Math.round(oldest / 3600_000)} hours`
}

function named(held: readonly HeldCollateral[]): string {
  const count = Map.groupBy(held, ({ document }) => document)
  return [...count].map(([document, each]) => `${each.length} ${document}`).join(', ')
}
