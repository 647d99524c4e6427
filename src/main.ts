/**
 * Where the house is wired together, and the command line's entry: the only reader of `process`. One row per command; a
 * command gets what it needs handed in and answers with its exit code. What only the service needs is imported when it is
 * asked for: the database alone would double the time that `verify` takes.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { replaceFile } from './adapters/endorsement-cache-file.ts'
import { gitPolicySource } from './adapters/git-policy-source.ts'
import { gitRepository } from './adapters/git-repository.ts'
import { jsonJournal } from './adapters/json-journal.ts'
import { localFiles } from './adapters/local-files.ts'
import { gitVersion, probeDirectory } from './adapters/machine-probes.ts'
import { endorsementLibrary } from './adapters/offline-bundle.ts'
import { makeSampleRepository } from './adapters/sample-policy-repository.ts'
import { simulatedAnchor, simulatedAnchors } from './adapters/simulated-anchors.ts'
import { systemClock, systemRandom } from './adapters/system.ts'
import { vendorAnchors } from './adapters/vendor-anchors.ts'
import { openVendorEndorsements } from './adapters/vendor-endorsements.ts'
import { toHex } from './bytes/encoding.ts'
import { answering, YES } from './cli/answering.ts'
import { Mistake } from './cli/arguments.ts'
import { checksCommand } from './cli/checks.ts'
import { collateralCommand } from './cli/collateral.ts'
import { type DevService, devCommand } from './cli/dev.ts'
import { samplePolicy } from './cli/dev-sample.ts'
import { doctorCommand } from './cli/doctor.ts'
import { inspectCommand } from './cli/inspect.ts'
import { measureCommand } from './cli/measure.ts'
import { serveCommand } from './cli/serve.ts'
import { verifyCommand } from './cli/verify.ts'
import {
  type Config,
  readCollateralConfig,
  readConfig,
  type Secrets,
  type TenantConfig,
} from './config.ts'
import type { RunningService, ServiceParts } from './http/run-service.ts'
import { type Anchor, anchorSet } from './pki/anchor.ts'
import { Problem } from './problems.ts'
import { proofCache } from './rats/proof-cache.ts'
import { decodeVector } from './rats/vector.ts'
import { broughtOnly } from './service/brought-endorsements.ts'
import { endorsementCollector } from './service/collect-endorsements.ts'
import { type TenantParts, waivableByPolicy } from './service/open-verifier.ts'
import type { Journal, JournalEntry, PolicySource, Store } from './service/ports.ts'
import { issuerUrls } from './service/publish-keys.ts'
import { selfTestOf } from './service/readiness.ts'

/** Chains and collateral of this many platforms are held as proofs. */
const MOST_PROOFS = 10_000

const certs = new URL('../certs/', import.meta.url)
const selfTestVector = new URL('../fixtures/sev-snp/milan-v3-good.vector', import.meta.url)
/** What every running service takes from this machine. */
const machine = {
  clock: systemClock,
  random: systemRandom,
  get build() {
    return `vouchsafe/${version()}`
  },
  get proofs() {
    return proofCache(MOST_PROOFS)
  },
  get selfTest() {
    return selfTestOf(decodeVector(readFileSync(selfTestVector, 'utf8')))
  },
}
const searchPath = process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'
const sources = { env: process.env, readText: (path: string) => readFileSync(path, 'utf8') }
const colour = process.stdout.isTTY === true && !process.env.NO_COLOR
const output = {
  out: (text: string) => {
    process.stdout.write(text)
  },
  err: (text: string) => {
    process.stderr.write(text)
  },
}

interface Command {
  readonly summary: string
  readonly run: (args: readonly string[]) => Promise<number>
}

const commands: Readonly<Record<string, Command>> = {
  dev: {
    summary: 'try it: a service, simulated hardware, one agent that passes and one that does not',
    run: async (args) => await devCommand(args, { ...output, colour, start: startDev, stopped }),
  },
  serve: {
    summary: 'verify evidence and issue tokens over HTTP',
    run: async (args) =>
      await serveCommand(args, {
        ...output,
        readConfig: () => readConfig(sources),
        start: startServe,
        stopped,
      }),
  },
  doctor: {
    summary: 'would this machine serve, and what is to be mended?',
    run: async (args) =>
      await doctorCommand(args, {
        ...output,
        colour,
        now: systemClock.now,
        nodeVersion: process.version,
        readConfig: () => readConfig(sources),
        vendorRoots: () => vendorAnchors(certs),
        probeDirectory,
        openStore: openStoreUnlessHeld,
        gitVersion: () => gitVersion(searchPath),
        policyOf: (tenant) => policySource(tenant, { record: () => {} }),
      }),
  },
  verify: {
    summary: 'is this hardware evidence genuine, and does it say what you expect?',
    run: async (args) =>
      await verifyCommand(args, {
        ...output,
        colour,
        files: localFiles,
        now: systemClock.now,
        anchors: await vendorAnchors(certs),
        simulatedAllowed: false,
      }),
  },
  inspect: {
    summary: 'what does this report, quote, certificate or collateral say?',
    run: async (args) => await inspectCommand(args, { ...output, colour, files: localFiles }),
  },
  checks: {
    summary: 'every check that is made, and where its rule is written',
    run: async (args) => await checksCommand(args, output),
  },
  measure: {
    summary: 'recompute the launch measurement of an SEV-SNP guest',
    run: async (args) => await measureCommand(args, { ...output, readFile: localFiles.read }),
  },
  collateral: {
    summary: 'fetch, export and import the vendors’ certificates, revocation lists and TCB info',
    run: async (args) =>
      await collateralCommand(args, {
        ...output,
        files: localFiles,
        writeFile: replaceFile,
        library: openLibrary,
        wait: async (seconds) => await sleep(seconds * 1000),
        now: systemClock.now,
        terminal: process.stderr.isTTY === true,
      }),
  },
}

const help = `vouchsafe: remote attestation for agents in confidential virtual machines

${Object.entries(commands)
  .map(([name, { summary }]) => `  vouchsafe ${name.padEnd(10)} ${summary}`)
  .join('\n')}

Each takes --help and --json, and exits 0 (yes), 2 (refused) or 1 (could not tell).
`

async function run(name: string, args: readonly string[]): Promise<number> {
  if (['help', '--help', '-h'].includes(name)) {
    output.out(help)
    return YES
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command) return await command.run(args)
  throw new Mistake(
    name === '' ? 'no command was given.' : `there is no command "${name}".`,
    `Choose one of ${Object.keys(commands).join(', ')}; see \`vouchsafe --help\`.`,
  )
}

async function startServe(config: Config, secrets: Secrets): Promise<RunningService> {
  const journal = jsonJournal(output.out)
  const vendors = await openVendorEndorsements(config, {
    whenDiskFails: 'report',
    report: complain,
  })
  const tenants: TenantParts[] = []
  for (const tenant of config.tenants) {
    const simulated = tenant.simulatedRoots ? await simulatedAnchors(tenant.simulatedRoots) : []
    tenants.push({
      name: tenant.name,
      anchors: await anchorsWith(simulated),
      collect: simulated.length > 0 ? broughtOnly : endorsementCollector(vendors),
      policy: policySource(tenant, journal),
    })
  }
  return await start({
    ...config,
    publicUrl: () => config.publicUrl,
    keyEncryptionKey: secrets.keyEncryptionKey,
    tenants,
    // Last: whoever holds it must also close it.
    store: await openStore(config.dataDirectory),
    journal,
    housekeeping: async () => {
      await vendors.refresh()
    },
  })
}

/** Everything below one folder; agents, policy and simulated vendor are made anew at every start, the database is kept. */
async function startDev(say: (sentence: string) => void): Promise<DevService> {
  say(
    'Starting: a database, a simulated machine with its vendor’s RSA-4096 keys, a policy repository.',
  )
  const [{ openDevDirectory }, { demonstrated, prepareDemonstration }] = await Promise.all([
    import('./adapters/dev-directory.ts'),
    import('../enclave/simulator/demonstration.ts'),
  ])
  const [dev, launch] = await Promise.all([openDevDirectory(say), prepareDemonstration()])
  const { directory, store, keyEncryptionKey } = dev
  const repository = join(directory, 'policy')
  const journal = troublesOnly(jsonJournal(output.err))
  const policy = policySource({ name: 'default', policyRepository: repository }, journal)
  try {
    const at = systemClock.now()
    // The simulated vendor's documents hold from a minute ago: they are written in whole seconds.
    const shown = launch(join(directory, 'agents'), new Date(at.getTime() - 60_000))
    const measurement = toHex(shown.measurement)
    const files = samplePolicy({ ...demonstrated, measurement, at })
    await makeSampleRepository({ path: repository, files, searchPath })
    const anchors = await anchorsWith(shown.anchors.map(simulatedAnchor))
    const service = await startOnLoopback({
      keyEncryptionKey,
      tenants: [{ name: 'default', anchors, collect: broughtOnly, policy }],
      store,
      journal,
    })
    const url = service.publicUrl
    const issuer = issuerUrls(url, 'default').simulated
    return {
      url,
      issuer,
      directory,
      policy: { repository, commit: policy.accepted()?.commit ?? policy.condition().message },
      agents: shown.agents.map((agent) => ({ ...agent, attest: () => agent.attest(url, issuer) })),
      close: service.close,
    }
  } catch (cause) {
    await store.close()
    throw cause
  }
}

/** The usual port where it is free, so that what was copied from the last run still works. */
async function startOnLoopback(
  parts: Pick<ServiceParts, 'keyEncryptionKey' | 'tenants' | 'store' | 'journal'>,
): Promise<RunningService> {
  const { freePort } = await import('./http/run-service.ts')
  const host = '127.0.0.1'
  return await start({
    ...parts,
    host,
    port: await freePort(host, 8080),
    publicUrl: (port) => `http://${host}:${port}`,
    explainRefusals: true,
    housekeeping: async () => {},
  })
}

/** What somebody at a terminal wants to hear between two verdicts that are printed anyway. */
function troublesOnly({ record }: Journal): Journal {
  const told: readonly JournalEntry['event'][] = ['request.failed', 'policy.condition']
  return {
    record(entry) {
      if (told.includes(entry.event)) record(entry)
    },
  }
}

/** Imported late: the database and the web framework double the time that `verify` takes to start. */
async function start(parts: Omit<ServiceParts, keyof typeof machine>): Promise<RunningService> {
  const { runService } = await import('./http/run-service.ts')
  return await runService({ ...parts, ...machine })
}

function policySource(
  { name, policyRepository }: Omit<TenantConfig, 'simulatedRoots'>,
  journal: Journal,
): PolicySource {
  return gitPolicySource({
    tenant: name,
    repository: gitRepository(policyRepository, { searchPath, timeoutMs: 20_000 }),
    waivable: waivableByPolicy(),
    clock: systemClock,
    journal,
  })
}

async function anchorsWith(simulated: readonly Anchor[]) {
  const { anchors, intermediates } = await vendorAnchors(certs)
  return anchorSet([...anchors, ...simulated], intermediates)
}

async function openStore(directory: string): Promise<Store> {
  const { openPgliteStore } = await import('./adapters/pglite-store.ts')
  return await openPgliteStore(directory)
}

async function openStoreUnlessHeld(directory: string): Promise<Store | undefined> {
  try {
    return await openStore(directory)
  } catch (error) {
    if (error instanceof Problem && error.detail.startsWith('the data directory is in use'))
      return undefined
    throw error
  }
}

async function openLibrary() {
  const reading = readCollateralConfig(sources)
  if ('mistakes' in reading) throw new Problem('configuration-invalid', reading.mistakes.join('; '))
  const held = await openVendorEndorsements(reading.config, {
    whenDiskFails: 'throw',
    report: complain,
  })
  return endorsementLibrary(held, systemClock)
}

function complain(sentence: string): void {
  output.err(`vouchsafe: ${sentence}\n`)
}

function version(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  )
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown'
}

/** Resolves at the first request to end; a second one ends the program as the system would. */
async function stopped(): Promise<string> {
  return await new Promise((resolve) => {
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
    const stop = (signal: string) => {
      for (const each of signals) process.removeListener(each, stop)
      resolve(signal)
    }
    for (const signal of signals) process.on(signal, stop)
  })
}

// `vouchsafe checks | head` closes the pipe early, which is no fault of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
const [command = '', ...args] = process.argv.slice(2)
// Not process.exit: what was written to a pipe must be read first.
process.exitCode = await answering(command, args, output, () => run(command, args))
