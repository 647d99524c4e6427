/**
 * Environment and file to configuration and secrets, kept apart so that the one can be printed. Pure: the environment and
 * a way to read files are handed in. Every mistake is reported at once, each with the setting and what it expects; unknown
 * settings are mistakes, since a misspelt restriction would otherwise be none.
 */
import { z } from 'zod'
import { fileJsonSchema } from './config/file-json-schema.ts'
import { type ConfigSources, givenBy } from './config/given.ts'
import { type GuardConfig, guardSettings } from './config/guard-settings.ts'
import {
  type IdentityProviderConfig,
  identityProviderContradictions,
  identityProviderSettings,
} from './config/identity-provider.ts'
import { type SettingInForce, settingsInForce } from './config/in-force.ts'
import { judged } from './config/judged.ts'
import { type KeyBrokerConfig, keyBrokerOf, keyBrokerSettings } from './config/key-broker.ts'
import { type KeyEncryptionSettings, keyEncryptionsOf, keySettings } from './config/key-settings.ts'
import { logWitnesses, type WitnessSetting } from './config/log-settings.ts'
import { type OperatorEntry, operatorsOf } from './config/operators-file.ts'
import { type Pin, policySettings } from './config/policy-settings.ts'
import { databaseUrlOf, type TenantSecrets } from './config/secrets.ts'
import { tenantMistakes, tenantSecrets } from './config/tenants.ts'
import { type TracesConfig, tracesSettings } from './config/traces-settings.ts'
import {
  address,
  flag,
  hostName,
  type LogLevel,
  logLevel,
  origin,
  path,
  port,
  tenantName,
  wholeNumber,
} from './config/values.ts'
import { type WebhookSetting, webhookSecretsOf, webhooks } from './config/webhook-settings.ts'

export interface Config {
  /** Origin under which agents and relying parties reach the service: part of every token. */
  readonly publicUrl: string
  readonly host: string
  readonly port: number
  readonly dataDirectory: string
  /** Quote observed and expected values of refused evidence to whoever asked. */
  readonly explainRefusals: boolean
  readonly logLevel: LogLevel
  /** After SIGTERM the port stays open this long while /readyz says no: what spreads requests must hear of it. */
  readonly drainSeconds: number
  readonly keyRotationDays: number
  readonly guard: GuardConfig
  /** Whose tokens operators may bring beside those of the file; undefined: nobody's. */
  readonly identityProvider: IdentityProviderConfig | undefined
  /** Of the transparency log. */
  readonly logWitnesses: readonly WitnessSetting[]
  /** Who is told of what happens. */
  readonly webhooks: readonly WebhookSetting[]
  /** Undefined: no spans are exported. */
  readonly traces: TracesConfig | undefined
  readonly tenants: readonly TenantConfig[]
  readonly vendors: VendorConfig
  /** Where GET /metrics is answered; undefined: nowhere. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined
}

export interface TenantConfig {
  readonly name: string
  readonly policy: PolicyConfig
  /** Folder of root certificates (PEM) of simulated hardware; its presence is what accepts simulated evidence. */
  readonly simulatedRoots: string | undefined
  /** Undefined: the tenant does not speak the Key Broker protocol. */
  readonly keyBroker: KeyBrokerConfig | undefined
}

export interface PolicyConfig {
  /** A path, or a file, https or ssh address, or `git@host:path`. */
  readonly repository: string
  readonly branch: string
  readonly pin: Pin
  readonly pollSeconds: number
  /** The files are read anew for every fetch, so that a token may change. */
  readonly credentials: RepositoryCredentials | undefined
  /** PEM roots for the repository's TLS certificate, in place of the machine's. */
  readonly authoritiesFile: string | undefined
  readonly opa: { readonly url: string; readonly path: string } | undefined
}

export type RepositoryCredentials =
  | { readonly kind: 'basic'; readonly username: string; readonly passwordFile: string }
  | { readonly kind: 'ssh'; readonly keyFile: string; readonly knownHostsFile: string }

interface VendorConfig {
  /** Ask no vendor: what is not held or brought is missing. */
  readonly offline: boolean
  readonly amdKds: string
  readonly intelPcs: string
  readonly intelRootCrl: string
  readonly tcbUpdate: 'standard' | 'early'
}

export interface Secrets extends KeyEncryptionSettings {
  /** Of a PostgreSQL, with the password in it; undefined: PGlite in the data directory. */
  readonly databaseUrl: string | undefined
  /** By the tenant's name. */
  readonly tenants: ReadonlyMap<string, TenantSecrets>
  /** Hashes of their tokens, and who they are. */
  readonly operators: readonly OperatorEntry[]
  /** By the webhook's name: with what its messages are signed. */
  readonly webhooks: ReadonlyMap<string, Uint8Array>
}

export type ConfigReading =
  | { readonly config: Config; readonly secrets: Secrets }
  | { readonly mistakes: readonly string[] }

const tenantSettings = {
  policy: policySettings,
  simulatedRoots: path.exactOptional(),
  keyBroker: keyBrokerSettings.exactOptional(),
}

const fileSchema = z.strictObject({
  publicUrl: origin,
  host: hostName.default('127.0.0.1'),
  port: port.default(8080),
  dataDirectory: path.default('.vouchsafe'),
  databaseUrlFile: path.exactOptional(),
  explainRefusals: flag.default(false),
  operatorsFile: path.exactOptional(),
  identityProvider: identityProviderSettings.exactOptional(),
  ...guardSettings,
  metricsPort: port.exactOptional(),
  metricsHost: hostName.default('127.0.0.1'),
  logLevel: logLevel.default('info'),
  drainSeconds: wholeNumber('must be a number of seconds')
    .refine((seconds) => seconds >= 0 && seconds <= 300, 'must be 0 to 300')
    .default(5),
  logWitnesses: logWitnesses.prefault([]),
  webhooks: webhooks.prefault([]),
  traces: tracesSettings.exactOptional(),
  policy: policySettings.exactOptional(),
  simulatedRoots: path.exactOptional(),
  keyBroker: keyBrokerSettings.exactOptional(),
  ...keySettings,
  tenants: z
    .array(z.strictObject({ name: tenantName, ...tenantSettings }), 'must be a list')
    .default([]),
  vendors: z
    .strictObject({
      offline: flag.default(false),
      amdKds: address.default('https://kdsintf.amd.com'),
      intelPcs: address.default('https://api.trustedservices.intel.com'),
      intelRootCrl: address.default(
        'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der',
      ),
      tcbUpdate: z.enum(['standard', 'early'], 'must be standard or early').default('standard'),
    })
    .prefault({}),
})

export function readConfig(sources: ConfigSources): ConfigReading {
  const mistakes: string[] = []
  const given = givenBy(sources, mistakes)
  const settings = judged(fileSchema, given, mistakes)
  const encryptions = keyEncryptionsOf(sources, given, mistakes)
  const databaseUrl = databaseUrlOf(sources, given, mistakes)
  mistakes.push(...tenantMistakes(given), ...identityProviderContradictions(given))
  const tenants = tenantSecrets(sources, given, mistakes)
  const operators = operatorsOf(sources, given, mistakes)
  const hooks = webhookSecretsOf(sources, given, mistakes)
  if (!settings || encryptions === undefined || mistakes.length > 0) return { mistakes }
  return {
    config: configOf(settings),
    secrets: {
      ...encryptions,
      ...{ databaseUrl, tenants, operators },
      webhooks: hooks,
    },
  }
}

export type InForceReading =
  | { readonly settings: readonly SettingInForce[] }
  | { readonly mistakes: readonly string[] }

/** Every setting, with who said it. What stands in secret files is not read, so only what can be read is judged. */
export function readInForce(sources: ConfigSources): InForceReading {
  const mistakes: string[] = []
  const given = givenBy(sources, mistakes)
  const settings = judged(fileSchema, given, mistakes)
  return settings && mistakes.length === 0
    ? { settings: settingsInForce(sources, given, { ...settings }) }
    : { mistakes }
}

/** JSON Schema of the file, for editors: what a variable may say in digits, a file may say as a number. */
export const configFileSchema: unknown = fileJsonSchema(fileSchema)

/** Which database: a PostgreSQL by its address, which holds its password, or else PGlite in the data directory. */
export interface DatabasePlace {
  readonly dataDirectory: string
  readonly databaseUrl: string | undefined
}

export type DatabaseReading =
  | { readonly place: DatabasePlace }
  | { readonly mistakes: readonly string[] }

/** The part that needs neither tenants nor keys: where the database is. */
export function readDatabase(sources: ConfigSources): DatabaseReading {
  const mistakes: string[] = []
  const given = givenBy(sources, mistakes)
  const { dataDirectory } = given
  const place = judged(fileSchema.pick({ dataDirectory: true }), { dataDirectory }, mistakes)
  const databaseUrl = databaseUrlOf(sources, given, mistakes)
  return place && mistakes.length === 0 ? { place: { ...place, databaseUrl } } : { mistakes }
}

export type CollateralConfig = Pick<Config, 'dataDirectory' | 'vendors'>

/** The part that needs neither tenants nor secrets: what is held of the vendors' endorsements, and where more comes from. */
export function readCollateralConfig(
  sources: ConfigSources,
): { readonly config: CollateralConfig } | { readonly mistakes: readonly string[] } {
  const mistakes: string[] = []
  const { dataDirectory, vendors } = givenBy(sources, mistakes)
  const schema = fileSchema.pick({ dataDirectory: true, vendors: true })
  const config = judged(schema, { dataDirectory, vendors }, mistakes)
  return config && mistakes.length === 0 ? { config } : { mistakes }
}

const OPA_PATH = 'vouchsafe/allow'
/** GitHub, GitLab, Gitea and Forgejo look at the token alone; others want a name of their own. */
const TOKEN_USER = 'x-access-token'

function configOf({
  policy,
  simulatedRoots,
  keyBroker,
  tenants: others,
  metricsPort,
  metricsHost,
  keyEncryptionKeyFile: _keyFile,
  keyEncryptionCommand: _command,
  keyEncryptionHandle: _handle,
  transit: _transit,
  previousKeyEncryptionKeyFile: _previousKeyFile,
  previousKeyEncryptionCommand: _previousCommand,
  previousKeyEncryptionHandle: _previousHandle,
  previousTransit: _previousTransit,
  operatorsFile: _operatorsFile,
  databaseUrlFile: _databaseUrlFile,
  identityProvider,
  rateLimits,
  trustedProxies,
  admission,
  mostConnections,
  traces,
  ...rest
}: z.output<typeof fileSchema>): Config {
  const own = policy === undefined ? [] : [{ name: 'default', policy, simulatedRoots, keyBroker }]
  return {
    ...rest,
    guard: { rateLimits, trustedProxies, admission, mostConnections },
    identityProvider,
    traces,
    tenants: [...own, ...others].map((tenant) => ({
      name: tenant.name,
      policy: policyOf(tenant.policy),
      simulatedRoots: tenant.simulatedRoots,
      keyBroker: keyBrokerOf(tenant.keyBroker),
    })),
    metrics: metricsPort === undefined ? undefined : { host: metricsHost, port: metricsPort },
  }
}

function policyOf(policy: z.output<typeof policySettings>): PolicyConfig {
  const { repository, branch, pin, pollSeconds, authoritiesFile } = policy
  const { opaUrl, opaPath = OPA_PATH } = policy
  return {
    repository,
    branch,
    pin,
    pollSeconds,
    credentials: credentialsOf(policy),
    authoritiesFile,
    opa: opaUrl === undefined ? undefined : { url: opaUrl, path: opaPath },
  }
}

function credentialsOf({
  tokenFile,
  tokenUser = TOKEN_USER,
  sshKeyFile,
  knownHostsFile,
}: z.output<typeof policySettings>): RepositoryCredentials | undefined {
  if (tokenFile !== undefined)
    return { kind: 'basic', username: tokenUser, passwordFile: tokenFile }
  // Neither comes alone: policyContradictions.
  return sshKeyFile !== undefined && knownHostsFile !== undefined
    ? { kind: 'ssh', keyFile: sshKeyFile, knownHostsFile }
    : undefined
}
