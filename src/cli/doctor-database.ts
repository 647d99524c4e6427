/** What `vouchsafe doctor` asks of the database: is it there, of this version, on time, and do its keys open? */
import { sameBytes } from '../bytes/encoding.ts'
import type { Config, Secrets } from '../config.ts'
import type { KeyEncryptions } from '../service/key-encryption.ts'
import { retiresAt, signerAt } from '../service/key-lifetime.ts'
import { isRotated, scheduleOf } from '../service/key-rotation.ts'
import type { Store } from '../service/ports.ts'
import { isForgotten, openKey, sealedUnder } from '../service/sealed-key.ts'
import type { SealedKey } from '../service/token-ports.ts'
import type { Examination, Warning } from './examination.ts'
import { counted } from './text.ts'

export interface DatabasePorts {
  readonly now: () => Date
  /** Undefined when a running service holds it. Changes nothing in a PostgreSQL. */
  readonly openStore: (config: Config, secrets: Secrets) => Promise<Store | undefined>
  readonly keyEncryptionsOf: (secrets: Secrets) => KeyEncryptions
  /** Looks at a PostgreSQL, and changes nothing. Rejects where it cannot be reached. */
  readonly probePostgres: (url: string) => Promise<PostgresProbe>
}

export interface PostgresProbe {
  /** `17.2` */
  readonly version: string
  /** Its clock minus ours, in milliseconds, to half of a round trip. */
  readonly aheadMs: number
  readonly roundTripMs: number
  /** It follows another server and takes no writes. */
  readonly isReadOnly: boolean
  readonly isEncrypted: boolean
  readonly schema: 'none' | 'older' | 'current' | 'newer'
}

interface Settings {
  readonly config: Config
  readonly secrets: Secrets
}

export function databaseExaminations(
  ports: DatabasePorts,
  settings: Settings,
): readonly Examination[] {
  const { databaseUrl } = settings.secrets
  let reading: Promise<readonly SealedKey[] | undefined> | undefined
  const keys = () => {
    reading ??= storedKeys(ports, settings)
    return reading
  }
  return [
    {
      name: 'database',
      advice:
        databaseUrl === undefined
          ? 'Restore the data directory from a backup (`vouchsafe restore`).'
          : 'Correct DATABASE_URL, or mend PostgreSQL and the way there; `vouchsafe migrate` brings its tables up to date.',
      examine: async () =>
        databaseUrl === undefined
          ? pgliteText(await keys())
          : postgresText(await ports.probePostgres(databaseUrl)),
    },
    {
      name: 'keys',
      advice:
        'Give back the key-encryption key under which they were stored (VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE, _COMMAND or VOUCHSAFE_PREVIOUS_TRANSIT_URL name the one before), or restore the database.',
      examine: async () => await keysText(await keys(), ports, settings),
    },
  ]
}

async function storedKeys(
  { openStore }: DatabasePorts,
  { config, secrets }: Settings,
): Promise<readonly SealedKey[] | undefined> {
  const store = await openStore(config, secrets)
  if (!store) return undefined
  try {
    await store.ping()
    return (await store.allKeys()).filter((key) => !isForgotten(key))
  } finally {
    await store.close()
  }
}

function pgliteText(keys: readonly SealedKey[] | undefined): Warning {
  return {
    warning: `PGlite in the data directory, ${keys ? 'opens' : 'in use by a running service, and so not opened'}`,
    advice:
      'It survives kill -9 and not the loss of power, and serves one process. In production name a PostgreSQL in DATABASE_URL.',
  }
}

/** A statement that does nothing takes longer than an attestation may. */
const SLOW_ROUND_TRIP_MS = 20
/** Challenges and tokens hold for minutes, and replicas judge them by their own clocks. */
const DIFFERING_CLOCK_MS = 5_000
const WRONG_CLOCK_MS = 60_000

function postgresText(probe: PostgresProbe): string | Warning {
  const { version, aheadMs, roundTripMs, isReadOnly, isEncrypted, schema } = probe
  const differs = `its clock is ${(Math.abs(aheadMs) / 1000).toFixed(1)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine’s`
  if (isReadOnly)
    throw new Error(`PostgreSQL ${version} takes no writes: it is a standby; name the primary`)
  if (schema === 'newer')
    throw new Error('its tables were made by a newer version of vouchsafe: run that one')
  if (Math.abs(aheadMs) > WRONG_CLOCK_MS) throw new Error(differs)
  const doubts = [
    ...(schema === 'older' ? ['its tables are of an older version: run `vouchsafe migrate`'] : []),
    ...(schema === 'none' ? ['it has no tables yet: run `vouchsafe migrate`'] : []),
    ...(Math.abs(aheadMs) > DIFFERING_CLOCK_MS ? [differs] : []),
    ...(roundTripMs > SLOW_ROUND_TRIP_MS
      ? [`a statement takes ${Math.round(roundTripMs)} ms, which every attestation waits for`]
      : []),
    ...(isEncrypted ? [] : ['the connection is not encrypted: add sslmode=verify-full']),
  ]
  const found = `PostgreSQL ${version}, answers in ${roundTripMs.toFixed(1)} ms`
  return doubts.length === 0
    ? `${found}, tables up to date`
    : { warning: `${found}\n${doubts.join('\n')}`, advice: 'Mend what is listed.' }
}

/** The chore that rotates runs every hour or so; a day late is a fault. */
const ROTATION_GRACE_MS = 2 * 24 * 3600_000

async function keysText(
  keys: readonly SealedKey[] | undefined,
  { now, keyEncryptionsOf }: DatabasePorts,
  { config, secrets }: Settings,
): Promise<string | Warning> {
  if (!keys) return 'not examined: a running service holds the database'
  if (keys.length === 0) return 'none yet: they are made at the first start'
  const at = now()
  const encryptions = keyEncryptionsOf(secrets)
  for (const key of keys) await openKey(key, encryptions)
  const signing = [...Map.groupBy(keys, ({ purpose }) => purpose)].flatMap(([purpose, own]) => {
    const signer = signerAt(own, at)
    if (!signer || !isRotated(purpose)) return []
    const { rotationMs } = scheduleOf(config, purpose)
    const next = retiresAt(signer, own) ?? new Date(signer.activeFrom.getTime() + rotationMs)
    return [{ purpose, next, ageMs: at.getTime() - signer.activeFrom.getTime(), rotationMs }]
  })
  const late = signing.filter(({ ageMs, rotationMs }) => ageMs > rotationMs + ROTATION_GRACE_MS)
  if (late.length > 0)
    return {
      warning: `${late.map(({ purpose, ageMs }) => `${purpose} has been in use for ${days(ageMs)}`).join('\n')}`,
      advice: 'A running service rotates keys by itself; `vouchsafe keys rotate` does so at once.',
    }
  const [, previous] = encryptions
  const left = keys.filter((key) => {
    const under = sealedUnder(key)
    return under && previous && sameBytes(under, previous.id)
  })
  if (previous && left.length > 0)
    return {
      warning: `${counted(left.length, 'key is', 'keys are')} still sealed under the previous key-encryption key, ${previous.name}`,
      advice:
        '`vouchsafe keys rewrap` puts them, secrets and model keys under the present one; then leave the previous one out.',
    }
  const oldest = Math.max(0, ...signing.map(({ ageMs }) => ageMs))
  const [first] = signing.map(({ next }) => next.toISOString()).toSorted()
  return `${counted(keys.length, 'key')} for ${counted(new Set(keys.map(({ purpose }) => purpose)).size, 'purpose')} open; the oldest in use for ${days(oldest)}${first === undefined ? '' : `, the next rotation at ${first}`}`
}

function days(ms: number): string {
  const number = ms / (24 * 3600_000)
  return number < 2 ? `${Math.round(number * 24)} hours` : `${Math.round(number)} days`
}
