/**
 * Where the house is wired together, and the command line's entry: the only reader of `process`. One row per command; a
 * command gets what it needs handed in and answers with its exit code. What the others do not need is imported when it is
 * asked for: the database alone would double the time that `verify` takes.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { replaceFile } from './adapters/endorsement-cache-file.ts'
import { localFiles } from './adapters/local-files.ts'
import {
  findProgram,
  gitVersion,
  modeOf,
  probeDirectory,
  probePort,
} from './adapters/machine-probes.ts'
import { measureTree, writeList } from './adapters/measured-tree.ts'
import { endorsementLibrary } from './adapters/offline-bundle.ts'
import { simulatedAnchors } from './adapters/simulated-anchors.ts'
import { systemClock } from './adapters/system.ts'
import { vendorAnchors } from './adapters/vendor-anchors.ts'
import { openVendorEndorsements } from './adapters/vendor-endorsements.ts'
import { vendorFetch } from './adapters/vendor-fetch.ts'
import { vendorTime } from './adapters/vendor-time.ts'
import { answering, YES } from './cli/answering.ts'
import { Mistake } from './cli/arguments.ts'
import { checksCommand } from './cli/checks.ts'
import { collateralCommand } from './cli/collateral.ts'
import { devCommand } from './cli/dev.ts'
import { doctorCommand } from './cli/doctor.ts'
import { inspectCommand } from './cli/inspect.ts'
import { measureCommand } from './cli/measure.ts'
import { serveCommand } from './cli/serve.ts'
import { verifyCommand } from './cli/verify.ts'
import { agentCommands } from './compose/agent-commands.ts'
import { askingCommands } from './compose/asking-commands.ts'
import { keyEncryptionsOf } from './compose/key-encryption.ts'
import { certs, openStoreUnlessHeld, version } from './compose/machine.ts'
import { operationsCommands } from './compose/operations.ts'
import { readCollateralConfig, readConfig, readInForce } from './config.ts'
import { Problem } from './problems.ts'

// Small buffers share a block, which lives on as long as any of them does: Node's 64 KiB are more than a request is worth.
Buffer.poolSize = 8 * 1024

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
const surroundings = { searchPath, env: process.env, ...output }

interface Command {
  readonly summary: string
  readonly run: (args: readonly string[]) => Promise<number>
}

const terminal = process.stderr.isTTY === true
const asking = askingCommands({ output, sources, surroundings, colour, terminal, stopped })
const agents = agentCommands({
  ...{ output, colour, terminal, stopped },
  write: writeOut,
  cwd: () => process.cwd(),
  here: { env: process.env, ownPid: process.pid, ownUid: process.geteuid?.() ?? 0 },
})

const commands: Readonly<Record<string, Command>> = {
  dev: {
    summary:
      'try it: a service, simulated hardware, an agent that passes, one that does not, one that is stopped',
    run: async (args) =>
      await devCommand(args, {
        ...output,
        colour,
        async start(request) {
          const { startDev } = await import('./compose/dev.ts')
          return await startDev(request, surroundings)
        },
        stopped,
      }),
  },
  attest: agents.attest,
  agent: agents.agent,
  serve: {
    summary: 'verify evidence and issue tokens over HTTP',
    run: async (args) =>
      await serveCommand(args, {
        ...output,
        readConfig: (flags) => readConfig({ ...sources, flags }),
        async start(config, secrets) {
          const { startServe } = await import('./compose/serve.ts')
          return await startServe(config, secrets, surroundings)
        },
        stopped,
      }),
  },
  doctor: {
    summary: 'would this machine serve, and what is to be mended?',
    run: async (args) => {
      const { askOpa, examinePolicy } = await import('./compose/policy-examination.ts')
      return await doctorCommand(args, {
        ...output,
        colour,
        now: systemClock.now,
        nodeVersion: process.version,
        readConfig: (flags) => readConfig({ ...sources, flags }),
        readInForce: (flags) => readInForce({ ...sources, flags }),
        probePostgres: async (url) => {
          const probe = await import('./adapters/postgres-probe.ts')
          return await probe.probePostgres(url)
        },
        vendorTime,
        probePort,
        modeOf,
        heldCollateral: async (config) =>
          (
            await openVendorEndorsements(config, { whenDiskFails: 'report', report: complain })
          ).holdings(),
        vendorRoots: () => vendorAnchors(certs),
        probeDirectory,
        openStore: openStoreUnlessHeld,
        keyEncryptionsOf: (secrets) => keyEncryptionsOf(secrets, process.env),
        gitVersion: () => gitVersion(searchPath),
        findProgram: (name) => findProgram(name, searchPath),
        examinePolicy: (tenant, settings) =>
          examinePolicy(tenant, { ...settings, at: systemClock.now(), searchPath }),
        askOpa,
      })
    },
  },
  ...operationsCommands({
    ...output,
    sources,
    colour,
    terminal,
    write: writeOut,
    // Only who asks for it opens it.
    input: () => process.stdin,
  }),
  policy: {
    summary: 'the Git repository that says what may run: make, check, sign and ask about it',
    run: async (args) => {
      const [{ policyCommand }, { policyDeps }] = await Promise.all([
        import('./cli/policy.ts'),
        import('./compose/policy-tools.ts'),
      ])
      const readSettings = () => readConfig(sources)
      return await policyCommand(
        args,
        policyDeps({ ...surroundings, colour, readConfig: readSettings }),
      )
    },
  },
  explain: asking.explain,
  keys: asking.keys,
  log: asking.log,
  gateway: agents.gateway,
  model: agents.model,
  plugin: agents.plugin,
  simulate: {
    summary: 'many agents at once, against a service of one’s own',
    run: async (args) => {
      const [{ simulateCommand }, { simulatedFleet }] = await Promise.all([
        import('./cli/simulate.ts'),
        import('./compose/simulate.ts'),
      ])
      const ending = new AbortController()
      void stopped().then(() => ending.abort())
      return await simulateCommand(args, {
        ...output,
        terminal,
        fleet: simulatedFleet(ending.signal),
      })
    },
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
        network: { fetch: vendorFetch, simulatedRoots: simulatedAnchors },
      }),
  },
  session: asking.session,
  reappraise: asking.reappraise,
  inspect: {
    summary: 'what does this report, quote, certificate or collateral say?',
    run: async (args) => await inspectCommand(args, { ...output, colour, files: localFiles }),
  },
  checks: {
    summary: 'every check that is made, and where its rule is written',
    run: async (args) => await checksCommand(args, output),
  },
  measure: {
    summary: 'the launch measurement of an SEV-SNP guest, or a list of what an agent may load',
    run: async (args) =>
      await measureCommand(args, {
        ...output,
        readFile: localFiles.read,
        tree: {
          measureTree,
          writeFile: writeList,
          terminal,
        },
        async collector() {
          const { collectorDigest } = await import('../enclave/measure/collector-digest.ts')
          return collectorDigest()
        },
      }),
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
        terminal,
      }),
  },
}

const help = `vouchsafe: remote attestation for agents in confidential virtual machines

${Object.entries(commands)
  .map(([name, { summary }]) => `  vouchsafe ${name.padEnd(10)} ${summary}`)
  .join('\n')}

Each takes --help and --json, and exits 0 (yes), 2 (refused) or 1 (could not tell). --version says which one this is.
`

async function run(name: string, args: readonly string[]): Promise<number> {
  if (['help', '--help', '-h'].includes(name)) {
    output.out(help)
    return YES
  }
  if (['version', '--version', '-V'].includes(name)) {
    output.out(`vouchsafe ${version()}\n`)
    return YES
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command) return await command.run(args)
  throw new Mistake(
    name === '' ? 'no command was given.' : `there is no command "${name}".`,
    `Choose one of ${Object.keys(commands).join(', ')}; see \`vouchsafe --help\`.`,
  )
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

/** Resolves when a slow reader has taken it. */
async function writeOut(bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
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
