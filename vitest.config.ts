import { configDefaults, defineConfig } from 'vitest/config'

/** Set by `npm run test:long`. */
const LONG = process.env.VOUCHSAFE_LONG === '1'

/**
 * Too slow for every run: whole processes started again and again, tools built from their sources, hostile repositories.
 * `npm test` leaves them out, and `npm run test:long` has them.
 */
const onlyLong = [
  'test/adapters/backup.test.ts',
  'test/adapters/git-hostile.test.ts',
  'test/adapters/git-mirror-damage.test.ts',
  'test/adapters/git-mirror-hostile.test.ts',
  'test/adapters/git-mirror.test.ts',
  'test/adapters/migrations.test.ts',
  'test/adapters/partitions.test.ts',
  'test/adapters/pglite-prepared.test.ts',
  'test/adapters/postgres-frozen.test.ts',
  'test/adapters/postgres-lost.test.ts',
  'test/adapters/releases-contended.test.ts',
  'test/adapters/releases-lost.test.ts',
  'test/adapters/releases-revoked.test.ts',
  'test/adapters/rule-engine-hostile.test.ts',
  'test/adapters/sessions-contended.test.ts',
  'test/adapters/sessions-ended.test.ts',
  'test/adapters/sessions-siblings.test.ts',
  'test/cli/backup.test.ts',
  'test/cli/bin.test.ts',
  'test/cli/dev-policy.test.ts',
  'test/cli/dev-watched.test.ts',
  'test/cli/gateway.test.ts',
  'test/cli/migrate.test.ts',
  'test/cli/reappraise-directly.test.ts',
  'test/cli/serve-openbao.test.ts',
  'test/cli/serve-postgres.test.ts',
  'test/cli/service-commands.test.ts',
  'test/docs/policy-guide.test.ts',
  'test/enclave/session-course.test.ts',
  'test/endpoint/slow-clients.test.ts',
  'test/examples/**/*.test.ts',
  'test/faults/clock-process.test.ts',
  'test/faults/clock-stepped.test.ts',
  'test/faults/database-gone.test.ts',
  'test/faults/disk-full-*.test.ts',
  'test/faults/killed-*.test.ts',
  'test/faults/sessions-outage.test.ts',
  'test/http/faults-slow.test.ts',
  'test/http/sessions-pglite.test.ts',
  'test/interop/log/**/*.test.ts',
  'test/interop/models/**/*.test.ts',
  'test/interop/opa/**/*.test.ts',
  'test/interop/tokens/**/*.test.ts',
  'test/interop/verdicts.test.ts',
  'test/kbs/dev.test.ts',
  'test/kit/agent-package.test.ts',
  'test/kit/mutual.test.ts',
  'test/kit/relying-party-package.test.ts',
  'test/log/tree.test.ts',
  'test/measure/hostile-agent.test.ts',
  'test/models/killed.test.ts',
  'test/policy-attacks/alone.test.ts',
  'test/policy-attacks/histories.test.ts',
  'test/policy-attacks/signers.test.ts',
  'test/policy-attacks/trees.test.ts',
  'test/releases/planted-postgres.test.ts',
  'test/releases/planted-secrets.test.ts',
  'test/releases/race.test.ts',
  'test/sandbox/hostile-calls.test.ts',
  'test/sandbox/wasi.test.ts',
  'test/sensor/flood.test.ts',
  'test/sensor/followed.test.ts',
  'test/sensor/paths.test.ts',
  'test/service/key-replicas.test.ts',
  'test/service/killed.test.ts',
  'test/service/log-killed.test.ts',
  'test/service/log-replicas.test.ts',
  'test/service/reappraise.test.ts',
  'test/tamper/**/*.test.ts',
]

/** Run by both: the long run goes deeper in them. */
const deeper = [
  'test/fuzz/**/*.test.ts',
  'test/http/events.test.ts',
  'test/http/faults-malformed.test.ts',
  'test/mutations/**/*.test.ts',
  'test/policy-attacks/**/*.test.ts',
  'test/policy/plain-yaml.test.ts',
]

export default defineConfig({
  test: {
    include: LONG ? [...onlyLong, ...deeper] : ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(LONG ? [] : onlyLong)],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Every core: much of a run is waiting for git, keys and child processes.
    maxWorkers: '100%',
  },
})
