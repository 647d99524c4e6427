/**
 * The agent: classifies invoices with a model that it can only open once it was attested. It is a process of its own, which
 * never had the key that the model is sealed under; its standard input says when the next invoice is there, and its standard
 * output tells what happened, one JSON object a line.
 */
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { type AttestedClient, attestedClient } from '../../enclave/client/attested-client.ts'
import { ServiceRefusal } from '../../enclave/client/faults.ts'
import { type Lease, LeaseEnded } from '../../enclave/client/lease.ts'
import { measureAgent, readAgent } from '../../enclave/simulator/agent.ts'
import { openKeptMachine } from '../../enclave/simulator/kept-machine.ts'
import { openModel } from '../../src/adapters/model-open.ts'
import { folderSource } from '../../src/adapters/model-source.ts'
import { openModelWorkers } from '../../src/adapters/model-workers.ts'

const RESOURCE = 'model:demo'
/** What the ledger is called in the policy. */
const LEDGER = 'kms.example'

/** What the model is: an account for every supplier. A real one would be larger, and is opened by the same lines. */
type Model = Readonly<Record<string, string>>

const { values } = parseArgs({
  options: {
    service: { type: 'string', default: '' },
    issuer: { type: 'string', default: '' },
    folder: { type: 'string', default: '' },
    machine: { type: 'string', default: '' },
    model: { type: 'string', default: '' },
    ledger: { type: 'string', default: '' },
  },
})

process.exitCode = await run()

/** 0: it worked until it was told to stop. 2: it was refused. */
async function run(): Promise<number> {
  const { service, issuer, folder, machine } = values
  // On a confidential VM: `attester: tsmAttester()`, and nothing else changes.
  const launch = openKeptMachine(await readFile(machine, 'utf8'))
  const client = await attestedClient({
    service,
    issuer,
    attester: launch(measureAgent(readAgent(folder))),
    claims: { tenant: 'default', environment: 'prod', agent: 'invoice-bot' },
    otherAudiences: [LEDGER],
  })
  try {
    return await work(client)
  } catch (fault) {
    if (!(fault instanceof ServiceRefusal)) throw fault
    const { status, code, failing, next } = fault
    tell('refused', { status, code, failing, next })
    return 2
  } finally {
    client.close()
  }
}

async function work(client: AttestedClient): Promise<number> {
  const { possession } = await client.tokens()
  tell('attested', { audience: possession.audience, seconds: possession.lifetimeSeconds })

  const key = await client.release(RESOURCE, { minimumVersion: 1 })
  const { resource, version, logLeaf, lease: granted } = key
  tell('released', { resource, version, logLeaf, leaseSeconds: Math.round(granted.seconds) })

  let model: Model | undefined = await opened(key.secret.slice())
  tell('opened', { suppliers: Object.keys(model).length })
  const lease = client.openLease(key)
  lease.signal.addEventListener('abort', () => {
    model = undefined
  })
  for await (const supplier of createInterface({ input: process.stdin })) {
    const account = await accountOf(supplier, lease, () => model)
    if (account === undefined) break
    tell('booked', { supplier, account, ledger: await book(client, { supplier, account }) })
  }
  if (!lease.signal.aborted) {
    lease.close()
    return 0
  }
  tell('lease-ended', { because: reasonOf(lease.signal.reason), keyIsZero: isZero(key.secret) })
  // Perhaps it was a mistake? It may ask, and is told.
  await client.release(RESOURCE)
  return 0
}

/** Undefined: the agent may not use the model any more. Asks first, because a booking cannot be taken back. */
async function accountOf(
  supplier: string,
  lease: Lease,
  model: () => Model | undefined,
): Promise<string | undefined> {
  try {
    await lease.renew()
  } catch (fault) {
    if (!(fault instanceof LeaseEnded)) throw fault
  }
  return model()?.[supplier]
}

/** `key` is overwritten by what opens the model. */
async function opened(key: Uint8Array): Promise<Model> {
  const workers = openModelWorkers()
  const parts: Uint8Array[] = []
  try {
    const sealed = await openModel({
      source: folderSource(values.model),
      keyOf: async () => key,
      expected: { name: 'demo', minimumVersion: 1 },
      signedBy: undefined,
      workers,
      told: () => {},
    })
    await sealed.file('accounts.json', async () => ({
      write: async (chunk) => {
        parts.push(chunk.slice())
      },
      end: async () => {},
      abandon: async () => {},
    }))
  } finally {
    await workers.close()
  }
  return JSON.parse(Buffer.concat(parts).toString())
}

/** The ledger asks for the same token, with a proof over this very request. Resolves to its answer's status. */
async function book(client: AttestedClient, booking: object): Promise<number> {
  const request = { method: 'POST', body: JSON.stringify(booking) }
  const asked = { ...request, address: values.ledger, audience: LEDGER }
  const headers = await client.headersFor(asked)
  const { status } = await fetch(values.ledger, { ...request, headers })
  return status
}

function reasonOf(reason: unknown): string {
  const { cause } = reason instanceof Error ? reason : {}
  return cause instanceof ServiceRefusal ? `${cause.status} ${cause.code}` : String(reason)
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

function tell(event: string, told: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ event, ...told })}\n`)
}
