/** What `vouchsafe attest` does: the agent's client, on this machine or on one that `vouchsafe dev` simulates. */
import { readFile, writeFile } from 'node:fs/promises'
import { type Attester, bornKeys } from '../../enclave/attestation.ts'
import { hasTsm, TsmFault } from '../../enclave/attester/configfs-tsm.ts'
import { tsmAttester } from '../../enclave/attester/tsm-attester.ts'
import { type AttestForTokens, attestForTokens } from '../../enclave/client/attest-for-tokens.ts'
import {
  type AttestedClient,
  type AttestedClientRequest,
  attestedClient,
} from '../../enclave/client/attested-client.ts'
import {
  AnswerDistrusted,
  ServiceRefusal,
  ServiceUnreachable,
} from '../../enclave/client/faults.ts'
import { assertProtected } from '../../enclave/client/issuer-keys.ts'
import { retrying } from '../../enclave/client/retrying.ts'
import { machine } from '../../enclave/client/surroundings.ts'
import { measureAgent, readAgent } from '../../enclave/simulator/agent.ts'
import { openKeptMachine } from '../../enclave/simulator/kept-machine.ts'
import { Mistake } from '../cli/arguments.ts'
import type { AttestOutcome } from '../cli/attest.ts'
import { AgentRefused, type Refusal } from '../cli/attest-refusal.ts'
import type { AttestRequest } from '../cli/attest-request.ts'
import { issuerUrls } from '../service/issuer-names.ts'

/** Throws Mistake for what is wrong on this side, and for a service that does not answer. */
export async function attestHere(request: AttestRequest): Promise<AttestOutcome> {
  const asked = await askedOf(request)
  const { issuer } = asked
  try {
    if (!request.release) {
      const keys = await bornKeys()
      const once = async () => await attestForTokens(asked, { keys, surroundings: machine })
      const tokens = await retrying(once, machine)
      return { verdict: 'issued', issuer, tokens, released: undefined }
    }
    const { resource, minimumVersion } = request.release
    const { audiences, ...others } = asked
    const [audience = asked.service, ...otherAudiences] = audiences
    return await withClient({ ...others, audience, otherAudiences }, async (client) => {
      const released = await client.release(resource, { minimumVersion })
      const { tokens } = await client.tokens()
      const { version, release, logLeaf, lease, secret } = released
      const leaseSeconds = lease.seconds
      return {
        verdict: 'issued',
        issuer,
        tokens,
        released: { resource, version, release, logLeaf, leaseSeconds, secret },
      }
    })
  } catch (fault) {
    if (fault instanceof ServiceRefusal && isDecision(fault)) return refusedBy(fault, issuer)
    throw mistakeOf(fault)
  }
}

/** The bytes of a model's key, for what opens the model: asked for when they are needed, and not kept here. Throws AgentRefused. */
export function releasedKey(request: AttestRequest): () => Promise<Uint8Array> {
  return async () => {
    const outcome = await attestHere(request)
    if (outcome.verdict === 'refused') throw new AgentRefused(outcome)
    if (outcome.released) return outcome.released.secret
    throw new Mistake('no key was asked for.', 'Name it with --resource.')
  }
}

/** A new file that only its owner may read, from its first byte on. */
export async function writeSecret(path: string, secret: Uint8Array): Promise<void> {
  await writeFile(path, secret, { mode: 0o600, flag: 'wx' })
}

async function withClient<T>(
  asked: AttestedClientRequest,
  use: (client: AttestedClient) => Promise<T>,
): Promise<T> {
  const client = await attestedClient(asked)
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

/** Throws Mistake. */
export async function askedOf({
  service,
  tenant,
  environment,
  agent,
  audiences,
  simulated,
  ...request
}: AttestRequest): Promise<AttestForTokens> {
  const urls = issuerUrls(service, tenant)
  const issuer = request.issuer ?? (simulated ? urls.simulated : urls.hardware)
  assertAddress(service, 'service')
  assertAddress(issuer, 'issuer')
  return {
    service,
    issuer,
    attester: simulated ? await simulatedAgent(simulated) : await thisMachine(),
    claims: { tenant, environment, agent },
    audiences,
  }
}

/** Throws Mistake. */
function assertAddress(address: string, role: 'service' | 'issuer'): void {
  try {
    assertProtected(address, role)
  } catch (cause) {
    throw new Mistake(
      cause instanceof Error ? `${cause.message}.` : `--${role} is no address.`,
      `Check --${role}.`,
    )
  }
}

async function thisMachine(): Promise<Attester> {
  if (await hasTsm()) return tsmAttester()
  throw new Mistake(
    'this machine has no TSM interface: it is no SEV-SNP or TDX guest, or its kernel is older than Linux 6.7.',
    'Run it in such a guest with configfs mounted, or try it with --simulator.',
  )
}

/** Throws Mistake. */
export async function simulatedAgent({
  folder,
  machineFile,
}: NonNullable<AttestRequest['simulated']>): Promise<Attester> {
  const text = await readFile(machineFile, 'utf8').catch(() => {
    throw new Mistake(
      `--machine ${machineFile} cannot be read.`,
      'Start `vouchsafe dev`, which writes it, or name the one that it wrote.',
      'file-unreadable',
    )
  })
  try {
    return openKeptMachine(text)(measureAgent(readAgent(folder)))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Mistake(
      `the simulated machine cannot be started: ${reason}.`,
      'Check --simulator, a folder of plain files, and --machine.',
      'file-unreadable',
    )
  }
}

/**
 * The service judged this agent, and no is its answer. A challenge that was late was never judged, and a 403 that is no problem
 * document is of somebody else, in front of it.
 */
function isDecision({ status, code }: ServiceRefusal): boolean {
  if (code === 'no-problem-document' || code.startsWith('challenge-')) return false
  return status === 403 || code === 'resource-version-unavailable'
}

export function refusedBy(fault: ServiceRefusal, issuer: string): Refusal {
  const { status, code, detail, next, failing, requestId } = fault
  return { verdict: 'refused', issuer, status, code, detail, next, failing, requestId }
}

export function mistakeOf(fault: unknown): unknown {
  if (fault instanceof ServiceRefusal)
    return new Mistake(fault.message, fault.next || 'Ask the operator of the service.')
  if (fault instanceof ServiceUnreachable)
    return new Mistake(fault.message, 'Check --service, and that the service is running.')
  if (fault instanceof AnswerDistrusted)
    return new Mistake(
      fault.message,
      'Check --issuer and --audience. Otherwise somebody else answers in the place of the service.',
    )
  if (fault instanceof TsmFault)
    return new Mistake(fault.message, 'Run it as root, in a guest whose kernel has a TSM driver.')
  return fault
}
