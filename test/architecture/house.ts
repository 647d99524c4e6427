/**
 * Who may import whom, which packages a layer may use, and which layers are pure: docs/design.md, "The house", as data.
 * A file that no row matches belongs nowhere and fails, so a new folder starts with a line here.
 */

interface Zone {
  /** Matches the start of a path from the repository root. What it matches is the zone's name, so one row holds many strangers. */
  readonly match: RegExp
  /** A zone sees itself and every zone of a lower level, never its own level. */
  readonly level: number
  /** Only zones of at least this level see this one. */
  readonly seenFrom?: number
  /** Zones it sees although their level is not lower. */
  readonly also?: RegExp
  readonly packages: readonly string[] | 'any'
  readonly builtins: readonly string[] | 'any'
  /** No clock, chance, network or timers: these are handed in. */
  readonly pure: boolean
  /** `node apis`: process.pid or process.memoryUsage, but never what configures, starts or ends the program. */
  readonly process: 'none' | 'node apis' | 'any'
}

/** Computation only. Anything that reaches a file, a socket, a clock or another process is absent on purpose. */
const computing = ['node:buffer', 'node:crypto', 'node:util', 'node:zlib']
const asn1 = ['@peculiar/x509', 'asn1js', 'pkijs', 'reflect-metadata']
const sealing = ['@hpke/core', 'jose']

const pure = { pure: true, process: 'none', builtins: computing } as const
const edge = { pure: false, process: 'none', builtins: 'any' } as const
const main = 6

/** The first row that matches decides. */
const house: readonly Zone[] = [
  { match: /^src\/main\.ts$/, level: main, packages: 'any', ...edge, process: 'any' },
  // What main.ts puts together; it alone knows where the program runs.
  { match: /^src\/compose\//, level: main, packages: 'any', ...edge },
  {
    match: /^src\/config\.ts$/,
    level: 1,
    seenFrom: 5,
    also: /^src\/config\//,
    packages: ['zod'],
    ...pure,
  },
  { match: /^src\/config\//, level: 1, seenFrom: 5, packages: ['zod'], ...pure },

  { match: /^src\/bytes\//, level: 0, packages: [], ...pure, builtins: [] },
  { match: /^src\/problems\.ts$/, level: 0, packages: [], ...pure, builtins: [] },
  { match: /^src\/recent-values\.ts$/, level: 0, packages: [], ...pure, builtins: [] },

  { match: /^src\/pki\//, level: 1, packages: asn1, ...pure },

  // Of what both sides of a seal agree on: below src/seal/ too.
  {
    match: /^src\/rats\/(canonical-json|public-key)\.ts$/,
    level: 1,
    also: /^src\/rats\/canonical-json\.ts$/,
    packages: [],
    ...pure,
  },
  { match: /^src\/rats\//, level: 2, packages: ['zod'], ...pure },
  { match: /^src\/seal\//, level: 2, packages: [...sealing, 'zod'], ...pure },

  {
    match: /^src\/tee\/registry\.ts$/,
    level: 3,
    also: /^src\/tee\//,
    packages: [],
    ...pure,
  },
  { match: /^src\/tee\/[^/]+\//, level: 3, packages: ['zod'], ...pure },
  {
    match: /^src\/policy\//,
    level: 3,
    packages: ['@bufbuild/cel', '@bufbuild/protobuf', 'yaml', 'zod'],
    ...pure,
  },
  { match: /^src\/token\//, level: 3, packages: ['jose', 'zod'], ...pure },
  { match: /^src\/release\//, level: 3, packages: ['zod'], ...pure },
  { match: /^src\/log\//, level: 3, packages: ['zod'], ...pure },

  { match: /^src\/service\//, level: 4, packages: ['jose', 'zod'], ...pure },

  {
    match: /^src\/http\//,
    level: 5,
    packages: ['@hono/node-server', 'hono', 'rate-limiter-flexible', 'swagger-ui-dist', 'zod'],
    ...edge,
  },
  { match: /^src\/cli\//, level: 5, packages: ['yaml', 'zod'], ...edge },
  {
    match: /^src\/adapters\//,
    level: 5,
    packages: [
      '@electric-sql/pglite',
      '@open-policy-agent/opa-wasm',
      '@opentelemetry/api',
      '@opentelemetry/exporter-trace-otlp-http',
      '@opentelemetry/resources',
      '@opentelemetry/sdk-trace',
      'drizzle-orm',
      'jose',
      'pg',
      'pg-protocol',
      'pino',
      'yaml',
      'zod',
    ],
    ...edge,
    process: 'node apis',
  },

  // The agent's side and the kit see what verifier and agent share, L0-L2. Only main.ts sees them.
  {
    match: /^enclave\/simulator\//,
    level: 3,
    seenFrom: main,
    also: /^(src\/tee\/|enclave\/)/,
    packages: [...asn1, 'zod'],
    ...edge,
    process: 'any',
  },
  {
    match: /^enclave\//,
    level: 3,
    seenFrom: main,
    packages: [...sealing, 'zod'],
    ...edge,
    process: 'any',
  },
  {
    match: /^kit\//,
    level: 3,
    seenFrom: main,
    packages: [...sealing, 'hono', 'zod'],
    ...edge,
    process: 'any',
  },
]

export interface Place {
  /** `src/tee/sev-snp/`, `src/main.ts`: what the row matched. */
  readonly name: string
  readonly zone: Zone
}

export function placeOf(path: string): Place | undefined {
  for (const zone of house) {
    const name = zone.match.exec(path)?.[0]
    if (name !== undefined) return { name, zone }
  }
  return undefined
}

export function sees(from: Place, to: Place): boolean {
  if (from.name === to.name) return true
  if (from.zone.also?.test(to.name)) return true
  return to.zone.level < from.zone.level && from.zone.level >= (to.zone.seenFrom ?? 0)
}
