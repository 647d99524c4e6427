/** The questions that `vouchsafe doctor` asks, each with what to do when the answer is no. */
import type { Config, ConfigReading, InForceReading, Secrets } from '../config.ts'
import type { AnchorSet } from '../pki/anchor.ts'
import { type CollateralPorts, collateralExamination } from './doctor-collateral.ts'
import { type DatabasePorts, databaseExaminations } from './doctor-database.ts'
import { keyEncryptionExaminations } from './doctor-key-encryption.ts'
import {
  fileExamination,
  type MachinePorts,
  portExaminations,
  vendorClockExamination,
} from './doctor-machine.ts'
import { type PolicyPorts, tenantExaminations } from './doctor-policy.ts'
import { type Examination, type Warning, warns } from './examination.ts'
import type { Flags } from './setting-options.ts'

export interface DoctorPorts extends PolicyPorts, DatabasePorts, MachinePorts, CollateralPorts {
  readonly now: () => Date
  /** `process.version`. */
  readonly nodeVersion: string
  readonly readConfig: (flags: Flags) => ConfigReading
  readonly readInForce: (flags: Flags) => InForceReading
  /** Rejects when a shipped root is not what it must be. */
  readonly vendorRoots: () => Promise<AnchorSet>
  /** Writes and removes a file there; resolves to the free bytes. */
  readonly probeDirectory: (path: string) => Promise<number>
  /** `git version 2.39.5` */
  readonly gitVersion: () => Promise<string>
  /** Where a program is found; undefined where it is not. */
  readonly findProgram: (name: string) => Promise<string | undefined>
}

export interface ExaminationGroup {
  readonly name: string
  readonly examinations: readonly Examination[]
}

const LEAST_FREE = 200 * 1024 * 1024
/** As the mirror needs it (adapters/git-mirror.ts). */
const OLDEST_GIT = [2, 32] as const

/** What needs usable settings is left out where there are none. */
export function examinationGroups(ports: DoctorPorts, flags: Flags): readonly ExaminationGroup[] {
  const reading = ports.readConfig(flags)
  const inForce = ports.readInForce(flags)
  const usable = 'config' in reading ? reading : undefined
  return [
    { name: 'machine', examinations: ofMachine(ports, usable?.config) },
    {
      name: 'settings',
      examinations: [
        {
          name: 'settings',
          advice: 'See `vouchsafe serve --help` for every setting.',
          examine: async () => settingsText(reading),
        },
        ...('settings' in inForce ? [fileExamination(ports, inForce.settings)] : []),
        ...(usable ? ofSettings(ports, usable) : []),
      ],
    },
    ...(usable ? configured(ports, usable) : []),
  ]
}

function ofMachine(ports: DoctorPorts, config: Config | undefined): readonly Examination[] {
  return [
    {
      name: 'node',
      advice: 'Run `npm ci`, which brings Node 24, and start with `npx vouchsafe`.',
      examine: async () => nodeText(ports.nodeVersion),
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
    ...(config ? vendorClockExamination(ports, config) : []),
    {
      name: 'git',
      advice: `Install git ${OLDEST_GIT.join('.')} or newer: it reads the policy repository.`,
      examine: async () => gitText(await ports.gitVersion()),
    },
    {
      name: 'ssh',
      advice: 'Install the OpenSSH client.',
      examine: async () => await sshText(ports, config),
    },
    {
      name: 'gpgv',
      advice: 'Install gpgv, or sign with SSH keys.',
      examine: async () =>
        (await ports.findProgram('gpgv')) ?? 'absent: commits signed with OpenPGP are refused',
    },
  ]
}

interface Usable {
  readonly config: Config
  readonly secrets: Secrets
}

function ofSettings(ports: DoctorPorts, { config, secrets }: Usable): readonly Examination[] {
  return [
    {
      name: 'operators',
      advice: 'Name operators in VOUCHSAFE_OPERATORS_FILE.',
      examine: async () => operatorsText(secrets),
    },
    ...portExaminations(ports, config),
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

function configured(ports: DoctorPorts, usable: Usable): readonly ExaminationGroup[] {
  const { config } = usable
  return [
    {
      name: 'storage',
      examinations: [
        {
          name: 'data directory',
          advice: 'Give the service a folder of its own that it may write to (VOUCHSAFE_DATA).',
          examine: async () => directoryText(await ports.probeDirectory(config.dataDirectory)),
        },
        ...databaseExaminations(ports, usable),
        ...keyEncryptionExaminations(ports, usable.secrets),
        collateralExamination(ports, config),
      ],
    },
    ...config.tenants.map((tenant) => ({
      name: `tenant ${tenant.name}`,
      examinations: tenantExaminations(ports, tenant, usable),
    })),
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
