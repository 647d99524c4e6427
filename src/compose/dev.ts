/** What `vouchsafe dev` starts: the service of production on a loopback port, with hardware, vendor and policy made here. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type Demonstration,
  demonstrated,
  prepareDemonstration,
} from '../../enclave/simulator/demonstration.ts'
import { pemOf } from '../../enclave/simulator/pem.ts'
import { openDevDirectory } from '../adapters/dev-directory.ts'
import { type HeldPort, holdPort } from '../adapters/held-port.ts'
import { keyEncryptionBySecret } from '../adapters/key-encryption-secret.ts'
import { pinoJournal } from '../adapters/pino-journal.ts'
import { openRuleEngine } from '../adapters/rule-engine.ts'
import { openSampleRepository } from '../adapters/sample-policy-repository.ts'
import { simulatedAnchor } from '../adapters/simulated-anchors.ts'
import { systemClock, systemRandom } from '../adapters/system.ts'
import { toHex } from '../bytes/encoding.ts'
import type { DevRequest, DevService } from '../cli/dev.ts'
import { devReadme } from '../cli/dev-sample.ts'
import { broughtOnly } from '../service/brought-endorsements.ts'
import { driftWatch } from '../service/drift-watch.ts'
import { issuerUrls } from '../service/issuer-names.ts'
import type { Journal, JournalEntry } from '../service/ports.ts'
import {
  devBrokerClient,
  devBrokerShown,
  devBrokerSwitches,
  putDemoSecret,
} from './dev-key-broker.ts'
import { devWatched, prepareWatching } from './dev-watched.ts'
import { anchorsWith, replicaName, type Surroundings, startService } from './machine.ts'
import { simulatedAttester } from './self-attester.ts'
import { tenantPolicy } from './tenant-policy.ts'

const HOST = '127.0.0.1'
/** Where it is free, so that what was copied from the last run still works. The policy that is made then names it. */
const PORT = 8080
const POLL_SECONDS = 5
/** What the approved agent may be given, once somebody has put it there. */
const DEV_SCOPES = ['secret:demo', 'model:demo']
/** This program, which is what the simulated machine of the service measures. */
const PROGRAM = fileURLToPath(new URL('../', import.meta.url))

/** Everything below one folder; agents and the simulated vendor are made anew at every start, the rest is kept. */
export async function startDev(
  { say, keyBroker }: DevRequest,
  { searchPath, env, err }: Surroundings,
): Promise<DevService> {
  say(
    'Starting: a database, a simulated machine with its vendor’s RSA-4096 keys, a signed policy repository.',
  )
  const at = systemClock.now()
  // Another policy, and so another folder: nobody's own agents are to be passed for.
  const name = keyBroker ? 'dev-kbs' : 'dev'
  const opening = openDevDirectory(say, { name, at })
  const [dev, launch, watching] = await Promise.all([
    opening,
    prepareDemonstration(),
    opening.then(async ({ directory }) => await prepareWatching(directory, env)),
  ])
  const { directory, store, keyEncryptionKey } = dev
  const engine = openRuleEngine()
  const journal = troublesOnly(pinoJournal({ level: 'info', to: { write: err } }))
  let held: HeldPort | undefined
  try {
    // The simulated vendor's documents hold from a minute ago: they are written in whole seconds.
    const shown = launch(join(directory, 'agents'), new Date(at.getTime() - 60_000))
    const sample = await openSampleRepository({
      directory,
      agent: demonstrated.agent,
      measurement: toHex(shown.measurement),
      at,
      releases: {
        port: async () => {
          held = await holdPort(HOST, PORT)
          return held.port
        },
        audienceAt: urlAt,
        scopes: DEV_SCOPES,
      },
      runtime: watching.runtime,
      anyClient: keyBroker ? devBrokerClient : undefined,
      readme: devReadme({ directory, agent: demonstrated.agent }),
      searchPath,
    })
    const drift = driftWatch()
    const { source, policyOf } = tenantPolicy({
      tenant: 'default',
      config: {
        repository: sample.repository,
        branch: 'main',
        pin: { kind: 'trust-digest', digest: sample.pin },
        credentials: undefined,
        authoritiesFile: undefined,
      },
      directory: join(directory, 'mirror'),
      engine,
      store,
      clock: systemClock,
      random: systemRandom,
      journal,
      replica: replicaName(sample.port),
      searchPath,
      onAccepted: drift.accepted,
    })
    const anchors = await anchorsWith(shown.anchors.map(simulatedAnchor))
    const launched = shown.launchVerifier(PROGRAM)
    const simulatedRoots = await keepRoots(join(directory, 'simulated-roots'), shown)
    const machineFile = join(directory, 'simulated-machine.json')
    await keepMachine(machineFile, shown)
    const service = await startService({
      host: HOST,
      port: sample.port,
      orAnyPort: true,
      beforeListening: async () => await held?.letGo(),
      publicUrl: urlAt,
      metrics: undefined,
      explainRefusals: true,
      operators: [
        { name: 'dev', role: 'operator', sha256: dev.operator.sha256 },
        { name: 'dev-secrets', role: 'secret-admin', sha256: dev.secretAdmin.sha256 },
      ],
      self: { attester: simulatedAttester(launched), keys: 'sealed-outside' },
      keyEncryption: [keyEncryptionBySecret('file', keyEncryptionKey)],
      tenants: [
        {
          name: 'default',
          anchors,
          collect: broughtOnly,
          policy: source,
          ...(keyBroker && { broker: devBrokerSwitches }),
          pollSeconds: POLL_SECONDS,
          webhookSecret: undefined,
        },
      ],
      store,
      journal,
      drift,
      archive: { policyOf: async (_, commit) => await policyOf(commit) },
      housekeeping: async () => {},
      release: async () => await engine.close(),
    })
    const url = service.publicUrl
    if (url !== urlAt(sample.port))
      say(
        `${urlAt(sample.port)}, for which the policy was made, is taken: at ${url} agents get no secrets.`,
      )
    const issuer = issuerUrls(url, 'default').simulated
    if (keyBroker) await putDemoSecret(url, dev)
    return {
      url,
      issuer,
      directory,
      operatorTokenFile: dev.operator.file,
      secretAdminTokenFile: dev.secretAdmin.file,
      self: { simulatedRoots, machineFile, measurement: toHex(launched.measurement) },
      policy: { ...sample, commit: source.accepted()?.commit ?? 'none accepted' },
      agents: shown.agents.map((agent) => ({ ...agent, attest: () => agent.attest(url, issuer) })),
      watched: devWatched(watching, {
        ...{ service: url, issuer, notRenewed: sample.notRenewed },
        attester: shown.attester,
        // As the policy names it, wherever the service is by now.
        audience: urlAt(sample.port),
        agent: { environment: demonstrated.environment, agent: demonstrated.agent },
        ledgerAudience: demonstrated.audience,
      }),
      keyBroker: keyBroker ? devBrokerShown : undefined,
      close: service.close,
    }
  } catch (cause) {
    await held?.letGo()
    await engine.close()
    await store.close()
    throw cause
  }
}

function urlAt(port: number): string {
  return `http://${HOST}:${port}`
}

/** For `vouchsafe verify --issuer`, which believes a simulator only when it is told to, by this folder. */
async function keepRoots(folder: string, { anchors }: Demonstration): Promise<string> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'roots.pem'), pemOf(anchors.map(({ der }) => der)))
  return folder
}

/** For `vouchsafe attest --simulator`: another program on the same machine. Of every start, as its vendor is. */
async function keepMachine(file: string, { machine }: Demonstration): Promise<void> {
  await rm(file, { force: true })
  await writeFile(file, machine, { mode: 0o600 })
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
