/** The questions that `vouchsafe doctor` asks, each with what to do when the answer is no. */
import type { Config, ConfigReading, Secrets, TenantConfig } from '../config.ts'
import type { AnchorSet } from '../pki/anchor.ts'
import type { PolicySource, Store } from '../service/ports.ts'
import { openKey } from '../service/sealed-key.ts'

export interface DoctorPorts {
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
  readonly gitVersion: () => Promise<string>
  readonly policyOf: (tenant: TenantConfig) => PolicySource
}

export interface Examination {
  readonly name: string
  readonly advice: string
  /** Resolves to what was found; rejects when it will not do. */
  readonly examine: () => Promise<string | Warning>
}

interface Warning {
  readonly warning: string
  readonly advice?: string
}

const LEAST_FREE = 200 * 1024 * 1024

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
      advice: 'Install git 2.36 or newer: it reads the policy repository.',
      examine: ports.gitVersion,
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
    ...config.tenants.flatMap((tenant) => tenantExaminations(ports, tenant)),
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

function tenantExaminations(ports: DoctorPorts, tenant: TenantConfig): readonly Examination[] {
  const { name, simulatedRoots } = tenant
  return [
    {
      name: `policy ${name}`,
      advice:
        'Correct the manifests that are named and commit, or correct the path (VOUCHSAFE_POLICY).',
      examine: () => policyText(ports.policyOf(tenant)),
    },
    ...(simulatedRoots === undefined
      ? []
      : [
          warns(
            `tenant ${name}`,
            `simulated evidence is accepted, under the roots in ${simulatedRoots}`,
            'For development and CI only; its tokens have an issuer of their own.',
          ),
        ]),
  ]
}

function warns(name: string, warning: string, advice: string): Examination {
  return { name, advice, examine: async () => ({ warning }) }
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

async function policyText(source: PolicySource): Promise<string> {
  await source.refresh()
  const policy = source.accepted()
  if (!policy) throw new Error(`${source.condition().name}: ${source.condition().message}`)
  return `${policy.releases.length} release(s) at commit ${policy.commit}`
}
