/**
 * Environment and file to configuration and secrets, kept apart so that the one can be printed. Pure: the environment and
 * a way to read files are handed in. Every mistake is reported at once, each with the setting and what it expects; unknown
 * settings are mistakes, since a misspelt restriction would otherwise be none.
 */
import { z } from 'zod'

export interface Config {
  /** Origin under which agents and relying parties reach the service: part of every token. */
  readonly publicUrl: string
  readonly host: string
  readonly port: number
  readonly dataDirectory: string
  /** Quote observed and expected values of refused evidence to whoever asked. */
  readonly explainRefusals: boolean
  readonly tenants: readonly TenantConfig[]
  readonly vendors: VendorConfig
}

export interface TenantConfig {
  readonly name: string
  /** Path of a local Git repository. */
  readonly policyRepository: string
  /** Folder of root certificates (PEM) of simulated hardware; its presence is what accepts simulated evidence. */
  readonly simulatedRoots: string | undefined
}

interface VendorConfig {
  /** Ask no vendor: what is not held or brought is missing. */
  readonly offline: boolean
  readonly amdKds: string
  readonly intelPcs: string
  readonly intelRootCrl: string
  readonly tcbUpdate: 'standard' | 'early'
}

export interface Secrets {
  /** 32 bytes. */
  readonly keyEncryptionKey: Uint8Array
}

export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Throws when there is no such readable file. */
  readonly readText: (path: string) => string
}

export type ConfigReading =
  | { readonly config: Config; readonly secrets: Secrets }
  | { readonly mistakes: readonly string[] }

interface Setting {
  readonly variable: string
  /** Where the value stands in the file. */
  readonly path: readonly [string] | readonly [string, string]
  readonly says: string
}

/** One row per variable. A variable wins over the file. The policy and the roots are those of the tenant `default`. */
export const settings: readonly Setting[] = [
  { variable: 'VOUCHSAFE_PUBLIC_URL', path: ['publicUrl'], says: 'address of the service, https' },
  { variable: 'VOUCHSAFE_HOST', path: ['host'], says: 'interface to listen on' },
  { variable: 'VOUCHSAFE_PORT', path: ['port'], says: 'port to listen on' },
  { variable: 'VOUCHSAFE_DATA', path: ['dataDirectory'], says: 'folder for database and caches' },
  { variable: 'VOUCHSAFE_POLICY', path: ['policy'], says: 'path of the policy repository' },
  {
    variable: 'VOUCHSAFE_SIMULATED_ROOTS',
    path: ['simulatedRoots'],
    says: 'folder of simulated roots; accepts simulated evidence, never for production',
  },
  {
    variable: 'VOUCHSAFE_EXPLAIN_REFUSALS',
    path: ['explainRefusals'],
    says: 'true: tell every caller observed and expected values',
  },
  {
    variable: 'VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE',
    path: ['keyEncryptionKeyFile'],
    says: 'file that holds the key-encryption key',
  },
  {
    variable: 'VOUCHSAFE_OFFLINE',
    path: ['vendors', 'offline'],
    says: 'true: ask no vendor for endorsements',
  },
  { variable: 'VOUCHSAFE_AMD_KDS', path: ['vendors', 'amdKds'], says: 'address of AMD KDS' },
  { variable: 'VOUCHSAFE_INTEL_PCS', path: ['vendors', 'intelPcs'], says: 'Intel PCS or a PCCS' },
  {
    variable: 'VOUCHSAFE_INTEL_ROOT_CRL',
    path: ['vendors', 'intelRootCrl'],
    says: 'address of Intel’s root revocation list',
  },
  {
    variable: 'VOUCHSAFE_TCB_UPDATE',
    path: ['vendors', 'tcbUpdate'],
    says: 'standard or early TCB recoveries',
  },
]

export const CONFIG_FILE = 'VOUCHSAFE_CONFIG'
/** Its value, and not a path: for those whose secrets come as variables. Never in the file. */
export const KEY_ENCRYPTION_KEY = 'VOUCHSAFE_KEY_ENCRYPTION_KEY'
/** Variables of the test run and the build, which are no settings. */
const NO_SETTINGS = ['VOUCHSAFE_LONG']

const flag = z
  .union([z.boolean(), z.literal('true'), z.literal('false')], 'must be true or false')
  .transform((value) => value === true || value === 'true')
const path = z.string('must be a path').min(1, 'must be a path')
const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be lower-case letters, digits and hyphens')
const address = z.string('must be an address').refine(isSafeAddress, {
  message: 'must be an https address (http only to this machine) without credentials or query',
})
const origin = address
  .transform((text) => new URL(text))
  .refine(({ pathname }) => pathname === '/', 'must have no path')
  .transform((url) => url.origin)
const port = z
  .union(
    [
      z.int(),
      z
        .string()
        .regex(/^\d{1,5}$/)
        .transform(Number),
    ],
    'must be a port',
  )
  .refine((number) => number >= 0 && number <= 65535, 'must be 0 to 65535')

const fileSchema = z.strictObject({
  publicUrl: origin,
  host: z.string('must be a name or address').min(1, 'must be a name').default('127.0.0.1'),
  port: port.default(8080),
  dataDirectory: path.default('.vouchsafe'),
  explainRefusals: flag.default(false),
  policy: path.exactOptional(),
  simulatedRoots: path.exactOptional(),
  keyEncryptionKeyFile: path.exactOptional(),
  tenants: z
    .array(
      z.strictObject({ name, policy: path, simulatedRoots: path.exactOptional() }),
      'must be a list',
    )
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
  const given = withVariables(fileOf(sources, mistakes), sources.env, mistakes)
  const parsed = fileSchema.safeParse(given, { reportInput: true })
  if (!parsed.success) mistakes.push(...parsed.error.issues.flatMap(sentencesOf))
  const keyEncryptionKey = keyOf(sources, given.keyEncryptionKeyFile, mistakes)
  mistakes.push(...tenantMistakes(given))
  if (!parsed.success || keyEncryptionKey === undefined || mistakes.length > 0) return { mistakes }

  const { policy, simulatedRoots, tenants: others, keyEncryptionKeyFile: _, ...rest } = parsed.data
  const tenants = [
    ...(policy === undefined ? [] : [{ name: 'default', policy, simulatedRoots }]),
    ...others,
  ].map((tenant) => ({
    name: tenant.name,
    policyRepository: tenant.policy,
    simulatedRoots: tenant.simulatedRoots,
  }))
  return { config: { ...rest, tenants }, secrets: { keyEncryptionKey } }
}

export type CollateralConfig = Pick<Config, 'dataDirectory' | 'vendors'>

/** The part that needs neither tenants nor secrets: what is held of the vendors' endorsements, and where more comes from. */
export function readCollateralConfig(
  sources: ConfigSources,
): { readonly config: CollateralConfig } | { readonly mistakes: readonly string[] } {
  const mistakes: string[] = []
  const { dataDirectory, vendors } = withVariables(fileOf(sources, mistakes), sources.env, mistakes)
  const parsed = fileSchema
    .pick({ dataDirectory: true, vendors: true })
    .safeParse({ dataDirectory, vendors }, { reportInput: true })
  if (!parsed.success) mistakes.push(...parsed.error.issues.flatMap(sentencesOf))
  return parsed.success && mistakes.length === 0 ? { config: parsed.data } : { mistakes }
}

type Given = Record<string, unknown>

function fileOf({ env, readText }: ConfigSources, mistakes: string[]): Given {
  const file = env[CONFIG_FILE]
  if (file === undefined) return {}
  try {
    const value: unknown = JSON.parse(readText(file))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
    mistakes.push(`${CONFIG_FILE}: ${file} must hold a JSON object`)
  } catch (cause) {
    mistakes.push(`${CONFIG_FILE}: ${file} cannot be read as JSON: ${messageOf(cause)}`)
  }
  return {}
}

function withVariables(file: Given, env: ConfigSources['env'], mistakes: string[]): Given {
  const known = new Set([
    ...settings.map(({ variable }) => variable),
    CONFIG_FILE,
    KEY_ENCRYPTION_KEY,
    ...NO_SETTINGS,
  ])
  for (const variable of Object.keys(env).toSorted())
    if (variable.startsWith('VOUCHSAFE_') && !known.has(variable))
      mistakes.push(`${variable} is not a setting; see \`vouchsafe serve --help\``)

  const given: Given = { ...file }
  for (const {
    variable,
    path: [first, second],
  } of settings) {
    const value = env[variable]
    if (value === undefined) continue
    if (second === undefined) given[first] = value
    else given[first] = { ...asObject(given[first]), [second]: value }
  }
  return given
}

function asObject(value: unknown): Given {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

/** 32 bytes, as `openssl rand -hex 32` or `openssl rand -base64 32` prints them. */
function keyOf(
  { env, readText }: ConfigSources,
  file: unknown,
  mistakes: string[],
): Uint8Array | undefined {
  const direct = env[KEY_ENCRYPTION_KEY]
  if (direct !== undefined && file !== undefined)
    mistakes.push(`${KEY_ENCRYPTION_KEY} and keyEncryptionKeyFile are both given: choose one`)
  else if (direct !== undefined) return decodedKey(KEY_ENCRYPTION_KEY, direct, mistakes)
  else if (typeof file === 'string')
    try {
      return decodedKey('keyEncryptionKeyFile', readText(file), mistakes)
    } catch (cause) {
      mistakes.push(`keyEncryptionKeyFile: ${file} cannot be read: ${messageOf(cause)}`)
    }
  else
    mistakes.push(
      'VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE is missing: signing keys are stored encrypted under it; make one with `openssl rand -hex 32`',
    )
  return undefined
}

/** Never quotes what it was given. */
function decodedKey(setting: string, text: string, mistakes: string[]): Uint8Array | undefined {
  const trimmed = text.trim()
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return new Uint8Array(Buffer.from(trimmed, 'hex'))
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) return new Uint8Array(Buffer.from(trimmed, 'base64'))
  mistakes.push(`${setting} must be 32 bytes in hex or base64, as \`openssl rand -hex 32\` prints`)
  return undefined
}

/** Judged on what was given, so that it is told beside whatever else is wrong. */
function tenantMistakes({ policy, simulatedRoots, tenants }: Given): readonly string[] {
  const listed = Array.isArray(tenants) ? tenants : []
  const names = [...(policy === undefined ? [] : ['default']), ...listed.map(nameIn)]
  const twice = names.filter(
    (each, index) => typeof each === 'string' && names.indexOf(each) !== index,
  )
  return [
    ...(names.length === 0
      ? [
          'VOUCHSAFE_POLICY (or tenants in the file) is missing: without a policy nothing is released',
        ]
      : []),
    ...(simulatedRoots !== undefined && policy === undefined
      ? ['VOUCHSAFE_SIMULATED_ROOTS belongs to the tenant of VOUCHSAFE_POLICY, which is missing']
      : []),
    ...[...new Set(twice)].map((each) => `tenants: ${each} appears twice`),
  ]
}

function nameIn(tenant: unknown): unknown {
  return asObject(tenant).name
}

function sentencesOf(issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${[...issue.path, key].join('.')} is not a setting`)
  const setting = issue.path.map(String).join('.')
  const row = settings.find((each) => each.path.join('.') === setting)
  const named = row ? `${row.variable} (${setting})` : setting
  return issue.input === undefined
    ? [`${named} is missing${row ? `: ${row.says}` : ''}`]
    : [`${named} is ${shown(issue.input)}, which ${issue.message}`]
}

function shown(input: unknown): string {
  return JSON.stringify(input)?.slice(0, 120) ?? typeof input
}

/** What goes over plain HTTP to another machine can be read and changed on the way. */
function isSafeAddress(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password, search, hash } = new URL(text)
  const isLoopback = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
  return (
    (protocol === 'https:' || (protocol === 'http:' && isLoopback)) &&
    [username, password, search, hash].every((part) => part === '')
  )
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
