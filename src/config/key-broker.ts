/** Does a tenant speak the Key Broker protocol, and how much of it? Everything is off unless it is said. */
import { z } from 'zod'
import { asObject } from './given.ts'
import { settingNamed } from './settings.ts'

export interface KeyBrokerConfig {
  /** `/kbs/v0/*` */
  readonly keyBroker: boolean
  /** Evidence that nobody signs. */
  readonly sample: boolean
  /** `POST /attestation` and `/challenge`, for operators with the role enforcer. */
  readonly attestationService: boolean
}

const onOrOff = z
  .union([z.boolean(), z.enum(['on', 'off', 'true', 'false'])], 'must be on or off')
  .transform((value) => value === true || value === 'on' || value === 'true')

export const keyBrokerSettings = z.strictObject(
  {
    on: onOrOff.default(false),
    sample: onOrOff.default(false),
    attestationService: onOrOff.default(false),
  },
  'must be an object with on, sample and attestationService',
)

/** Undefined where all of it is off. */
export function keyBrokerOf(
  settings: z.output<typeof keyBrokerSettings> | undefined,
): KeyBrokerConfig | undefined {
  if (!settings) return undefined
  const { on, sample, attestationService } = settings
  return on || attestationService ? { keyBroker: on, sample, attestationService } : undefined
}

/** `at`: where the tenant's settings stand in the file, with a dot at its end. */
export function keyBrokerContradictions(
  { keyBroker, simulatedRoots }: { readonly keyBroker: unknown; readonly simulatedRoots: unknown },
  at: string,
): readonly string[] {
  const parsed = keyBrokerSettings.safeParse(asObject(keyBroker))
  if (!parsed.success || !parsed.data.sample) return []
  const named = settingNamed(`${at}keyBroker.sample`)
  const { on, attestationService } = parsed.data
  return [
    ...(on || attestationService
      ? []
      : [`${named} is of no use while ${settingNamed(`${at}keyBroker.on`)} is off`]),
    ...(simulatedRoots === undefined
      ? [
          `${named} takes evidence that nobody signs, which only a tenant may that accepts simulated evidence: ${settingNamed(`${at}simulatedRoots`)} is missing`,
        ]
      : []),
  ]
}
