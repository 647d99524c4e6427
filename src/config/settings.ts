/** Which settings there are: one row for each variable, with its place in the file and what it says. */
import { keyEncryptionRows } from './key-encryption-rows.ts'

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
    variable: 'VOUCHSAFE_DATABASE_URL_FILE',
    path: ['databaseUrlFile'],
    says: 'file that holds the address of a PostgreSQL; without one the database is in the data folder',
  },
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
    variable: 'VOUCHSAFE_LOG_WITNESSES',
    path: ['logWitnesses'],
    says: 'who cosigns the transparency log: `URL KEY` pairs with commas between them; `vouchsafe log witness` is one',
  },
  {
    variable: 'VOUCHSAFE_WEBHOOKS',
    path: ['webhooks'],
    says: 'who is told of sessions, bans, policies and keys as they change: `NAME URL SECRETFILE [EVENT+EVENT]` with commas between them',
  },
  {
    variable: 'VOUCHSAFE_TRACES_URL',
    path: ['traces', 'url'],
    says: 'OpenTelemetry collector (OTLP over HTTP) that gets a span of each request; without it there are none',
  },
  {
    variable: 'VOUCHSAFE_TRACES_SAMPLED',
    path: ['traces', 'sampled'],
    says: 'part of all requests that get one, 0 to 1; default 1',
  },
  {
    variable: 'VOUCHSAFE_SIMULATED_ROOTS',
    path: ['simulatedRoots'],
    says: 'folder of simulated roots; accepts simulated evidence, never for production',
  },
  {
    variable: 'VOUCHSAFE_KBS',
    path: ['keyBroker', 'on'],
    says: 'on: speak the Key Broker protocol at /kbs/v0, for stock Confidential Containers clients',
  },
  {
    variable: 'VOUCHSAFE_KBS_SAMPLE',
    path: ['keyBroker', 'sample'],
    says: 'on: take its sample evidence, which nobody signs; needs simulated roots, never for production',
  },
  {
    variable: 'VOUCHSAFE_KBS_ATTESTATION_SERVICE',
    path: ['keyBroker', 'attestationService'],
    says: 'on: judge evidence at POST /attestation for a stock Key Broker with an enforcer’s token',
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
    variable: 'VOUCHSAFE_OPERATORS_ISSUER',
    path: ['identityProvider', 'issuer'],
    says: 'issuer of an OpenID Connect provider whose tokens operators may bring too',
  },
  {
    variable: 'VOUCHSAFE_OPERATORS_AUDIENCE',
    path: ['identityProvider', 'audience'],
    says: 'audience that those tokens must name',
  },
  {
    variable: 'VOUCHSAFE_OPERATORS_ROLE_CLAIM',
    path: ['identityProvider', 'roleClaim'],
    says: 'their claim that names roles: its name, or names with dots between',
  },
  {
    variable: 'VOUCHSAFE_OPERATORS_ROLES',
    path: ['identityProvider', 'roles'],
    says: 'which values of it are which roles, as in sre=operator,audit=auditor; without this, the roles’ own names',
  },
  {
    variable: 'VOUCHSAFE_TRUSTED_PROXIES',
    path: ['trustedProxies'],
    says: 'addresses and CIDR ranges whose X-Forwarded-For is believed, for counting requests only',
  },
  {
    variable: 'VOUCHSAFE_RATE_LIMIT_CHALLENGES',
    path: ['rateLimits', 'challenges'],
    says: 'challenges that one caller may have in 10 s of each replica, or off',
  },
  {
    variable: 'VOUCHSAFE_RATE_LIMIT_HANDSHAKES',
    path: ['rateLimits', 'handshakes'],
    says: 'handshakes of the Key Broker protocol that one caller may begin in 5 min, or off',
  },
  {
    variable: 'VOUCHSAFE_RATE_LIMIT_ATTESTATIONS',
    path: ['rateLimits', 'attestations'],
    says: 'attestations and appraisals of one caller in 10 s, or off',
  },
  {
    variable: 'VOUCHSAFE_RATE_LIMIT_RELEASES',
    path: ['rateLimits', 'releases'],
    says: 'releases, renewals and operations that one caller may ask for in 10 s, or off',
  },
  {
    variable: 'VOUCHSAFE_RATE_LIMIT_PUBLIC',
    path: ['rateLimits', 'public'],
    says: 'public documents that one caller may read in 10 s, or off',
  },
  {
    variable: 'VOUCHSAFE_RATE_LIMIT_OPERATORS',
    path: ['rateLimits', 'operators'],
    says: 'calls of one operator in 10 s, or off',
  },
  {
    variable: 'VOUCHSAFE_RATE_LIMIT_FAILED_OPERATORS',
    path: ['rateLimits', 'failedOperators'],
    says: 'wrong operator tokens of one caller in 60 s, or off',
  },
  {
    variable: 'VOUCHSAFE_RATE_LIMIT_TENANT',
    path: ['rateLimits', 'tenant'],
    says: 'challenges, attestations, appraisals and releases for one tenant in 10 s, or off',
  },
  {
    variable: 'VOUCHSAFE_RATE_LIMIT_SESSION',
    path: ['rateLimits', 'session'],
    says: 'messages of one session in 10 s, whoever carries them, or off',
  },
  {
    variable: 'VOUCHSAFE_RATE_LIMIT_TENANT_SESSIONS',
    path: ['rateLimits', 'tenantSessions'],
    says: 'messages of all sessions of one tenant in 10 s, or off',
  },
  {
    variable: 'VOUCHSAFE_RATE_LIMIT_REFUSED_MESSAGES',
    path: ['rateLimits', 'refusedMessages'],
    says: 'messages of one caller in 10 s that were of no session, or off',
  },
  {
    variable: 'VOUCHSAFE_MOST_IN_FLIGHT',
    path: ['admission', 'mostInFlight'],
    says: 'attestations and appraisals at work at once',
  },
  {
    variable: 'VOUCHSAFE_MOST_WAITING',
    path: ['admission', 'mostWaiting'],
    says: 'how many more may wait; whatever else comes is answered 503 at once',
  },
  {
    variable: 'VOUCHSAFE_MOST_LOOP_DELAY_MS',
    path: ['admission', 'mostLoopDelayMs'],
    says: 'how late the event loop may run, in milliseconds, before 503 is answered',
  },
  {
    variable: 'VOUCHSAFE_MOST_CONNECTIONS',
    path: ['mostConnections'],
    says: 'connections open at once; more are closed as they come, and so is what one peer opens beyond an eighth of what the others leave',
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
    variable: 'VOUCHSAFE_LOG_LEVEL',
    path: ['logLevel'],
    says: 'how much is told: info, warn or error',
  },
  {
    variable: 'VOUCHSAFE_DRAIN_SECONDS',
    path: ['drainSeconds'],
    says: 'for how long SIGTERM leaves the port open while /readyz says no',
  },
  ...keyEncryptionRows,
  {
    variable: 'VOUCHSAFE_KEY_ROTATION_DAYS',
    path: ['keyRotationDays'],
    says: 'days for which a key signs tokens before the next one does',
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
/** The address of a PostgreSQL with its password; the second is the customary name. Never in the file, never a flag. */
export const DATABASE_URLS = ['VOUCHSAFE_DATABASE_URL', 'DATABASE_URL'] as const
/** What has no place in the file: where that is, and secrets as values. */
export const variablesOnly: readonly string[] = [CONFIG_FILE, KEY_ENCRYPTION_KEY, ...DATABASE_URLS]
/** Variables of the test run and the build, which are no settings. */
export const NO_SETTINGS: readonly string[] = ['VOUCHSAFE_LONG']

/** `--policy-pin` for VOUCHSAFE_POLICY_PIN. */
export function flagOf(variable: string): string {
  return `--${variable
    .replace(/^VOUCHSAFE_/, '')
    .toLowerCase()
    .replaceAll('_', '-')}`
}

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
