/**
 * `npm run example`: a model that only an attested agent can open, and no more once its approval was revoked. A service, a model's
 * owner, an agent, the same agent tampered with, and a ledger that takes bookings from attested agents alone. Every step is
 * asserted; it ends with exit code 0 when all of them went as they should.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createSecretKey, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { measureAgent, readAgent } from '../../enclave/simulator/agent.ts'
import { sealModel } from '../../src/adapters/model-seal.ts'
import { openModelWorkers } from '../../src/adapters/model-workers.ts'
import { type AgentProcess, startAgent } from './agent-process.ts'
import { type DevService, startDevService } from './dev-service.ts'
import { type Ledger, openLedger } from './ledger.ts'

const policySchema = z.object({ accepted: z.object({ commit: z.string() }) })

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-example-'))
const sealed = join(folder, 'sealed')
const started = performance.now()
let steps = 0

try {
  await play()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function play(): Promise<void> {
  step('A service starts, with simulated hardware. SIMULATED EVIDENCE - never for production.')
  const service = await startDevService(folder)
  try {
    note(`it answers at ${service.url}, and its issuer is ${service.issuer}`)
    const ledger = await openLedger(service.issuer)
    try {
      await shareModel(service)
      await tamperedAgent(service, ledger)
      await approvedAgent(service, ledger)
      await revokedAgent(service, ledger)
    } finally {
      ledger.close()
    }
  } finally {
    await service.stop()
  }
  step('All of it went as it should.')
}

/** The owner's side: the model is stored anywhere, and its key is a resource of the service. */
async function shareModel(service: DevService): Promise<void> {
  step('The owner of a model seals it, and gives its key to the service.')
  const plain = join(folder, 'model')
  mkdirSync(plain)
  const accounts = { 'ACME Paper': '4930 office supplies', 'Northern Rail': '4670 travel' }
  writeFileSync(join(plain, 'accounts.json'), JSON.stringify(accounts))
  const key = randomBytes(32)
  const workers = openModelWorkers()
  const model = await sealModel({
    folder: plain,
    out: sealed,
    name: 'demo',
    version: 1,
    modelKey: createSecretKey(key),
    randomBytes,
    workers,
    signature: { by: 'nobody' },
    told: () => {},
  })
  await workers.close()
  rmSync(plain, { recursive: true })
  const body = {
    name: 'model:demo',
    secret: key.toString('base64'),
    leaseSeconds: 60,
    // No key of a real model says so: whoever runs a simulator could have it.
    acceptsSimulated: true,
  }
  await service.ask('secret-admin', '/v1/resources', body)
  key.fill(0)
  note(`model ${model.name} version ${model.version}, digest ${model.digest}`)
  note('the key is in the service, encrypted; the owner has none any more')
}

async function tamperedAgent(service: DevService, ledger: Ledger): Promise<void> {
  step('The agent attests, with one of its files changed.')
  const agent = agentOf(service, ledger, service.agents.tampered)
  const { status, code, failing, next } = await agent.told('refused')
  assert.equal(status, 403)
  assert.equal(code, 'evidence-rejected')
  assert.deepEqual(failing, ['snp.measurement.expected'])
  assert.equal(await agent.ended(), 2)
  note(`refused with ${status} ${code}: ${failing}`)
  note(`what to do: ${next}`)
}

async function approvedAgent(service: DevService, ledger: Ledger): Promise<void> {
  step('The agent attests as it was approved.')
  const agent = agentOf(service, ledger, service.agents.approved)
  const { audience, seconds } = await agent.told('attested')
  note(`it has a token for ${audience}, for ${seconds} s, bound to a key that was born in it`)

  step('It asks for the key of the model, and opens it.')
  const released = await agent.told('released')
  assert.equal(released.resource, 'model:demo')
  const opened = await agent.told('opened')
  assert.equal(opened.suppliers, 2)
  note(`version ${released.version}, for ${released.leaseSeconds} s unless renewed`)
  note(`the release is leaf ${released.logLeaf} of the transparency log`)

  step('It works: each booking goes to a ledger that admits attested agents alone.')
  agent.give('ACME Paper')
  const booked = await agent.told('booked')
  assert.equal(booked.account, '4930 office supplies')
  assert.equal(booked.ledger, 201)
  assert.equal(ledger.bookings.length, 1)
  note(`booked by ${ledger.bookings[0]?.by}`)
  assert.equal((await fetch(ledger.address, { method: 'POST', body: '{}' })).status, 401)
  note('whoever comes without a token is refused there with 401')

  step('alice revokes what the agent was launched from, with one signed commit.')
  const commit = await revoked(service)
  note(`the service goes by commit ${commit.slice(0, 12)} now`)

  step('The agent goes on to its next invoice.')
  agent.give('Northern Rail')
  const ended = await agent.told('lease-ended')
  assert.equal(ended.keyIsZero, true)
  note(`its lease is not renewed (${ended.because}): it forgets the model, and its key is zero`)
  const refused = await agent.told('refused')
  // By its evidence or by its release, as its tokens were revoked already or not.
  assert.ok(['evidence-rejected', 'release-refused'].includes(`${refused.code}`))
  assert.equal(await agent.ended(), 2)
  note(`it asks once more, and is refused with ${refused.status} ${refused.code}`)
  assert.equal(ledger.bookings.length, 1)
}

async function revokedAgent(service: DevService, ledger: Ledger): Promise<void> {
  step('The same agent is started once more.')
  const agent = agentOf(service, ledger, service.agents.approved)
  const { code, failing, next } = await agent.told('refused')
  assert.equal(code, 'evidence-rejected')
  assert.deepEqual(failing, ['revoked.digest'])
  assert.equal(await agent.ended(), 2)
  note(`refused with ${code}: ${failing}`)
  note(`what to do: ${next}`)
}

function agentOf(service: DevService, ledger: Ledger, launched: string): AgentProcess {
  return startAgent({
    service: service.url,
    issuer: service.issuer,
    machine: service.machineFile,
    folder: launched,
    model: sealed,
    ledger: ledger.address,
  })
}

/** Resolves to the commit, once it is in force. */
async function revoked({ policyRepository, agents, ask }: DevService): Promise<string> {
  const file = join(policyRepository, 'revoked/revoked.yaml')
  const measurement = Buffer.from(measureAgent(readAgent(agents.approved))).toString('hex')
  const text = readFileSync(file, 'utf8')
    .replace('generation: 1', 'generation: 2')
    .replace(
      'digests: []',
      `digests:\n    - {value: "sha384:${measurement}", reason: it was found to book twice}`,
    )
  writeFileSync(file, text)
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', policyRepository, ...args], { encoding: 'utf8' }).trim()
  git('commit', '--quiet', '--all', '--message', 'revoke invoice-bot 1.0.0')
  const commit = git('rev-parse', 'HEAD')
  // The service looks every few seconds.
  for (let tries = 0; tries < 60; tries++) {
    const { accepted } = policySchema.parse(await ask('operator', '/v1/policies/default'))
    if (accepted.commit === commit) return commit
    await sleep(500)
  }
  throw new Error(`commit ${commit} was not accepted: see git log in ${policyRepository}`)
}

function step(sentence: string): void {
  steps++
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5)
  process.stdout.write(`\n${seconds} s  ${steps}. ${sentence}\n`)
}

function note(sentence: string): void {
  process.stdout.write(`            ${sentence}\n`)
}
