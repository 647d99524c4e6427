/**
 * Clients that attest without a pause, and remember every word of the service: which request they sent for which challenge,
 * what they were answered, and what was cut off and sent again.
 */
import { decodeJwt } from 'jose'
import {
  type AgentKeys,
  bornKeys,
  claimsFor,
  openTokens,
  signedAttestation,
} from '../../enclave/attestation.ts'
import { type Answer, type Asked, type Connection, openConnection } from './connection.ts'
import { measurement, PUBLIC_URL, platform } from './service-process.ts'

/** One token, as it was handed out. */
export interface Received {
  readonly nonce: string
  readonly appraisal: string
  readonly leaf: string
  readonly token: string
  readonly jti: string
  /** `uri#index` of the status list. */
  readonly slot: string
}

/** One challenge with the request that answers it. */
export interface Attempt {
  readonly nonce: string
  readonly asked: Asked
  /** Sent and not answered, so many times. */
  cut: number
  /** Every answer that came. */
  readonly answers: Answer[]
}

export interface Clients {
  readonly received: readonly Received[]
  readonly attempts: readonly Attempt[]
  /** Answers that are neither tokens nor a used challenge, by status and code, and how often. */
  readonly otherwise: ReadonlyMap<string, number>
  /** Runs until `stop` was called and every client has seen it. `address` is asked for before each request. */
  readonly run: (address: () => string | undefined) => { readonly stop: () => Promise<void> }
  /** The same bytes again. */
  readonly again: (address: string, attempt: Attempt) => Promise<Answer | undefined>
  /** Attestations that were sent there and are not answered yet. */
  readonly inFlightAt: (address: string) => number
}

const identity = {
  tenant: 'default',
  environment: 'prod',
  agent: 'invoice-bot',
  verifier: `${PUBLIC_URL}/simulated`,
}
const attester = {
  attest: (reportData: Uint8Array) => platform.attest({ reportData, measurement }),
  endorsements: platform.endorsements,
}

/** The request that answers `nonce`. */
export async function requestFor(nonce: string, keys: AgentKeys): Promise<Asked> {
  const claims = claimsFor(identity, keys, nonce)
  const { body, proof } = await signedAttestation(claims, { service: PUBLIC_URL, keys, attester })
  return {
    method: 'POST',
    path: '/v1/attestations',
    body,
    headers: { 'attestation-proof': proof },
  }
}

export async function openClients(count: number): Promise<Clients> {
  const keys = await bornKeys()
  const received: Received[] = []
  const attempts: Attempt[] = []
  const otherwise = new Map<string, number>()
  const inFlight = new Map<string, number>()
  const connections = Array.from({ length: count }, openConnection)
  const connection = openConnection()

  function note({ status, json }: Answer): void {
    const name = `${status} ${json?.code ?? ''}`.trim()
    otherwise.set(name, (otherwise.get(name) ?? 0) + 1)
  }

  async function keep(nonce: string, { json }: Answer): Promise<void> {
    for (const { token } of await openTokens(json, keys)) {
      const { jti = '', status } = decodeJwt<{
        status: { status_list: { uri: string; idx: number } }
      }>(token)
      const { uri, idx } = status.status_list
      const leaf = String(json.logLeaf)
      const appraisal = String(json.id)
      received.push({ nonce, appraisal, leaf, token, jti, slot: `${uri}#${idx}` })
    }
  }

  /** Undefined where it was cut off. */
  async function send(to: string, attempt: Attempt, over: Connection): Promise<Answer | undefined> {
    inFlight.set(to, (inFlight.get(to) ?? 0) + 1)
    try {
      const answer = await over.ask(to, attempt.asked)
      attempt.answers.push(answer)
      if (answer.status === 200) await keep(attempt.nonce, answer)
      else if (answer.json?.code !== 'challenge-used') note(answer)
      return answer
    } catch {
      attempt.cut += 1
      return undefined
    } finally {
      inFlight.set(to, (inFlight.get(to) ?? 0) - 1)
    }
  }

  async function attestOnce(to: string, over: Connection): Promise<void> {
    const challenge = await over
      .ask(to, { method: 'POST', path: '/v1/challenges', body: '{}' })
      .catch(() => undefined)
    if (!challenge) return
    if (challenge.status !== 200) return note(challenge)
    const { nonce } = challenge.json
    const attempt = { nonce, asked: await requestFor(nonce, keys), cut: 0, answers: [] }
    attempts.push(attempt)
    await send(to, attempt, over)
  }

  return {
    received,
    attempts,
    otherwise,
    inFlightAt: (address) => inFlight.get(address) ?? 0,
    again: (to, attempt) => send(to, attempt, connection),
    run(address) {
      let isOver = false
      const running = connections.map(async (over) => {
        while (!isOver) {
          const to = address()
          if (to !== undefined) await attestOnce(to, over)
          // Whoever is refused at once must not keep this process from everything else.
          await new Promise((resolve) => setTimeout(resolve, to === undefined ? 10 : 0))
        }
      })
      return {
        async stop() {
          isOver = true
          await Promise.all(running)
        },
      }
    },
  }
}
