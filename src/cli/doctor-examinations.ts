/** The questions that `vouchsafe doctor` asks, each with what to do when the answer is no. */
import type { Config, ConfigReading, Secrets } from '../config.ts'
import type { AnchorSet } from '../pki/anchor.ts'
import type { Store } from '../service/ports.ts'
import { openKey } from '../service/sealed-key.ts'
import { type PolicyPorts, tenantExaminations } from './doctor-policy.ts'
import { type Examination, type Warning, warns } from './examination.ts'

export interface DoctorPorts extends PolicyPorts {
  readonly now: () => Date
  /** `process.version`. */
  readonly nodeVersion: string
  readonly readConfig: () => ConfigReading
  /** Rejects when a shipped root is not what it must be. */
  readonly vendorRoots: () => Promise<AnchorSet>
  /** Writes and removes a file there; resolves to the free bytes. */
  readonly probeDirectory: (path: string) => Promise<number>
  /** Undefined when a running service holds it. */
  readonly openStore: (directory: string) => Promise<Store | undefined>
  /** `git version 2.39.5` */
  readonly gitVersion: () => Promise<string>
  /** Where a program is found; undefined where it is not. */
  readonly findProgram: (name: string) => Promise<string | undefined>
}

const LEAST_FREE = 200 * 1024 * 1024
/** As the mirror needs it (adapters/git-mirror.ts). */
const OLDEST_GIT = [2, 32] as const

export function examinations(ports: DoctorPorts): readonly Examination[] {
  const reading = ports.readConfig()
  const usable = 'config' in reading ? reading : undefined
  return [
    {
      name: 'node',
      advice: 'Run `npm ci`, which brings Node 24, and start with `npx vouchsafe`.',
      examine: async () => nodeText(ports.nodeVersion),
    },
    {
      name: 'settings',
      advice: 'See `vouchsafe serve --help` for every setting.',
      examine: async () => settingsText(reading),
    },
    {
      name: 'vendor roots',
      advice: 'Restore certs/ from the release: a root that changed may be somebody else’s.',
      examine: async () => rootsText(await ports.vendorRoots()),
    },
    {
      name: 'clock',
      advice: 'Set the clock and keep it (chrony, systemd-timesyncd): every verdict depends on it.',
      examine: async () => clockText(ports.now(), await ports.vendorRoots()),
    },
    {
      name: 'git',
      advice: `Install git ${OLDEST_GIT.join('.')} or newer: it reads the policy repository.`,
      examine: async () => gitText(await ports.gitVersion()),
    },
    {
      name: 'ssh',
      advice: 'Install the OpenSSH client.',
      examine: async () => await sshText(ports, usable?.config),
    },
    {
      name: 'gpgv',
      advice: 'Install gpgv, or sign with SSH keys.',
      examine: async () =>
        (await ports.findProgram('gpgv')) ?? 'absent: commits signed with OpenPGP are refused',
    },
    ...(usable ? configured(ports, usable) : []),
  ]
}

function configured(
  ports: DoctorPorts,
  { config, secrets }: { readonly config: Config; readonly secrets: Secrets },
): readonly Examination[] {
  return [
    {
      name: 'data directory',
      advice: 'Give the service a folder of its own that it may write to (VOUCHSAFE_DATA).',
      examine: async () => directoryText(await ports.probeDirectory(config.dataDirectory)),
    },
    {
      name: 'database',
      advice:
        'Restore the data directory from a backup, or give back the key-encryption key under which its keys were stored.',
      examine: () => databaseText(ports, { config, secrets }),
    },
    {
      name: 'operators',
      advice: 'Name operators in VOUCHSAFE_OPERATORS_FILE.',
      examine: async () => operatorsText(secrets),
    },
    ...config.tenants.flatMap((tenant) => tenantExaminations(ports, tenant, { config, secrets })),
    ...(config.explainRefusals
      ? [
          warns(
            'refusals',
            'every caller is told observed and expected values',
            'Fine for development; in production leave VOUCHSAFE_EXPLAIN_REFUSALS out.',
          ),
        ]
      : []),
  ]
}

function nodeText(version: string): string {
  if (Number.parseInt(version.slice(1), 10) < 24)
    throw new Error(`${version}; 24 or newer is needed`)
  return version
}

function settingsText(reading: ConfigReading): string {
  if ('mistakes' in reading) throw new Error(reading.mistakes.join('\n'))
  return `${reading.config.publicUrl}, ${reading.config.tenants.length} tenant(s)`
}

function rootsText({ anchors, intermediates }: AnchorSet): string {
  return `${anchors.length} roots and ${intermediates.length} intermediates, each with the SHA-256 that the manifest states`
}

/** A clock before the youngest root or after the first one's end is wrong, whatever else. */
function clockText(now: Date, { anchors }: AnchorSet): string {
  const youngest = new Date(
    Math.max(...anchors.map(({ certificate }) => certificate.notBefore.getTime())),
  )
  const first = new Date(
    Math.min(...anchors.map(({ certificate }) => certificate.notAfter.getTime())),
  )
  if (now < youngest || now > first)
    throw new Error(
      `it is ${now.toISOString()} here, which is outside ${youngest.toISOString()} to ${first.toISOString()}`,
    )
  return now.toISOString()
}

function directoryText(freeBytes: number): string | Warning {
  const free = `${Math.floor(freeBytes / 1024 / 1024)} MiB free`
  return freeBytes < LEAST_FREE
    ? { warning: free, advice: 'Every attestation is kept: give the service more room.' }
    : `writable, ${free}`
}

async function databaseText(
  { openStore }: DoctorPorts,
  { config, secrets }: { readonly config: Config; readonly secrets: Secrets },
): Promise<string> {
  const store = await openStore(config.dataDirectory)
  if (!store) return 'in use by a running service, and so not opened'
  try {
    await store.ping()
    const keys = await store.keysFor('challenge')
    for (const key of keys) openKey(key, secrets.keyEncryptionKey)
    return keys.length === 0
      ? 'opens; its keys will be made at the first start'
      : 'opens, and so do its keys'
  } finally {
    await store.close()
  }
}

/** `git version 2.39.5 (Apple Git-154)` */
function gitText(version: string): string {
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(version) ?? []
  const [oldestMajor, oldestMinor] = OLDEST_GIT
  if (
    Number(major) > oldestMajor ||
    (Number(major) === oldestMajor && Number(minor) >= oldestMinor)
  )
    return version
  throw new Error(`${version}; ${OLDEST_GIT.join('.')} or newer is needed`)
}

/** ssh fetches from a repository; ssh-keygen signs approvals, which is done elsewhere as well. */
async function sshText({ findProgram }: DoctorPorts, config: Config | undefined): Promise<string> {
  const needed = config?.tenants.filter(({ policy }) => policy.credentials?.kind === 'ssh') ?? []
  if (needed.length > 0 && (await findProgram('ssh')) === undefined)
    throw new Error(
      `there is no ssh, and the policy of ${needed.map(({ name }) => name).join(', ')} is fetched with it`,
    )
  const keygen = await findProgram('ssh-keygen')
  return keygen === undefined
    ? 'ssh-keygen is absent: nobody can approve or commit from this machine, which the service does not need'
    : `approvals can be signed with ${keygen}`
}

function operatorsText({ operators }: Secrets): string {
  if (operators.length === 0)
    return 'none: nobody may ask for policies and explanations, and no enforcement point may report'
  const byRole = Map.groupBy(operators, ({ role }) => role)
  return [...byRole].map(([role, group]) => `${group.length} ${role}`).join(', ')
}
