/** Which settings there are: one row for each variable, with its place in the file and what it says. */

export interface Setting {
  readonly variable: string
  /** Where the value stands in the file. */
  readonly path: readonly [string] | readonly [string, string]
  readonly says: string
}

/** A variable wins over the file. Policy, OPA and simulated roots are those of the tenant `default`. */
export const settings: readonly Setting[] = [
  { variable: 'VOUCHSAFE_PUBLIC_URL', path: ['publicUrl'], says: 'address of the service, https' },
  { variable: 'VOUCHSAFE_HOST', path: ['host'], says: 'interface to listen on' },
  { variable: 'VOUCHSAFE_PORT', path: ['port'], says: 'port to listen on' },
  { variable: 'VOUCHSAFE_DATA', path: ['dataDirectory'], says: 'folder for database and caches' },
  {
    variable: 'VOUCHSAFE_POLICY',
    path: ['policy', 'repository'],
    says: 'path or address of the policy repository',
  },
  { variable: 'VOUCHSAFE_POLICY_BRANCH', path: ['policy', 'branch'], says: 'its branch' },
  {
    variable: 'VOUCHSAFE_POLICY_PIN',
    path: ['policy', 'pin'],
    says: 'what is trusted to begin with: a full commit name, or the sha256:<hex> of its trust/ folder; `vouchsafe policy init` and `vouchsafe policy pin --repository REPOSITORY` print it',
  },
  {
    variable: 'VOUCHSAFE_POLICY_POLL_SECONDS',
    path: ['policy', 'pollSeconds'],
    says: 'how often the repository is asked for news',
  },
  {
    variable: 'VOUCHSAFE_POLICY_TOKEN_FILE',
    path: ['policy', 'tokenFile'],
    says: 'file that holds the access token for an https repository',
  },
  {
    variable: 'VOUCHSAFE_POLICY_TOKEN_USER',
    path: ['policy', 'tokenUser'],
    says: 'user name that goes with that token',
  },
  {
    variable: 'VOUCHSAFE_POLICY_AUTHORITIES_FILE',
    path: ['policy', 'authoritiesFile'],
    says: 'roots (PEM) for the certificate of an https repository, in place of the machine’s',
  },
  {
    variable: 'VOUCHSAFE_POLICY_SSH_KEY_FILE',
    path: ['policy', 'sshKeyFile'],
    says: 'private key for an ssh repository',
  },
  {
    variable: 'VOUCHSAFE_POLICY_KNOWN_HOSTS_FILE',
    path: ['policy', 'knownHostsFile'],
    says: 'known_hosts for an ssh repository',
  },
  {
    variable: 'VOUCHSAFE_POLICY_WEBHOOK_SECRET_FILE',
    path: ['policy', 'webhookSecretFile'],
    says: 'file that holds the secret of the repository’s webhook',
  },
  { variable: 'VOUCHSAFE_OPA_URL', path: ['policy', 'opaUrl'], says: 'address of an OPA to ask' },
  {
    variable: 'VOUCHSAFE_OPA_PATH',
    path: ['policy', 'opaPath'],
    says: 'its decision: package and rule, with slashes',
  },
  {
    variable: 'VOUCHSAFE_OPA_TOKEN_FILE',
    path: ['policy', 'opaTokenFile'],
    says: 'file that holds the bearer token for that OPA',
  },
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
    variable: 'VOUCHSAFE_OPERATORS_FILE',
    path: ['operatorsFile'],
    says: 'file of operators: `<SHA-256 of the token, hex> <role> <name>` per line',
  },
  {
    variable: 'VOUCHSAFE_METRICS_PORT',
    path: ['metricsPort'],
    says: 'port for GET /metrics; without it there is none',
  },
  {
    variable: 'VOUCHSAFE_METRICS_HOST',
    path: ['metricsHost'],
    says: 'interface for GET /metrics',
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
export const NO_SETTINGS: readonly string[] = ['VOUCHSAFE_LONG']

/** How a setting is called in a sentence, given its path in the file: a tenant's is that of `default` with a prefix. */
export function settingNamed(path: string): string {
  const row = settings.find((each) => each.path.join('.') === path)
  return row ? `${row.variable} (${path})` : path
}

/** What the setting at this path says; undefined for what no row describes. */
export function settingSays(path: string): string | undefined {
  const own = path.replace(/^tenants\.\d+\./, '')
  return settings.find((each) => each.path.join('.') === own)?.says
}
