/** Agents with their sidecars before a running service, as programs see them: through their sockets, by the kit alone. */

import { type LocalAgent, localAgent } from '../../kit/agent/agent.ts'
import { type RelyingPartyOptions, relyingParty } from '../../kit/relying-party/relying-party.ts'
import { put } from '../enclave/release-scene.ts'
import { type SessionScene, sessionAt, watchedManifest } from '../enclave/session-scene.ts'
import { endpointOver } from '../endpoint/endpoint-scene.ts'
import { policyOf, type RunningService, runService } from '../http/running-service.ts'

export const names = { planner: 'planner.example', executor: 'executor.example' } as const

/** Rules for the service itself, with a secret, and for two agents that meet. */
export async function agentsService(secret: string): Promise<RunningService> {
  const service = await runService()
  const rules = [service.url, ...Object.values(names)].map(
    (audience, place) =>
      `    - audience: ${audience}\n      ttl: 120s\n${place === 0 ? '      scopes: ["secret:db-ro"]\n' : ''}`,
  )
  service.policy.current = await policyOf(
    watchedManifest(undefined, (text) =>
      text.replace('    - audience: kms.example\n      ttl: 240s\n', rules.join('')),
    ),
  )
  await put(service, 'secret:db-ro', secret)
  return service
}

export interface LocalAgentScene extends SessionScene {
  readonly agent: LocalAgent
  readonly socket: string
}

export async function localAgentAt(service: RunningService): Promise<LocalAgentScene> {
  const scene = await sessionAt(service, {
    audience: service.url,
    otherAudiences: Object.values(names),
  })
  const { path } = await endpointOver(scene.session)
  return { ...scene, agent: localAgent({ socket: path }), socket: path }
}

export function partyOf(
  service: RunningService,
  audience: string,
  change: Partial<RelyingPartyOptions> = {},
) {
  return relyingParty({
    issuer: service.simulated,
    audience,
    required: { assurance: 'simulated', environment: 'prod', agent: 'invoice-bot' },
    now: () => service.clock.at.getTime(),
    ...change,
  })
}
