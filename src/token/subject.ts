/** Under which name does a token know an agent? From the release that matched, never from what the agent said. */
import type { AgentRelease } from '../rats/release.ts'
import type { Assurance } from '../rats/trust-vector.ts'

export interface NamedAgent {
  /** URL of the issuer: its host is the SPIFFE trust domain. */
  readonly issuer: string
  readonly tenant: string
  readonly release: Pick<AgentRelease, 'environment' | 'agent'>
  readonly assurance: Assurance
}

/**
 * A SPIFFE ID. Simulated evidence gets a name that is none, so that no cloud's subject mapping can take it for one: clouds
 * look at `sub` and ignore the trust claims.
 */
export function subjectOf({ issuer, tenant, release, assurance }: NamedAgent): string {
  const { hostname } = new URL(issuer)
  const id = `spiffe://${hostname}/t/${tenant}/env/${release.environment}/agent/${release.agent}`
  return assurance === 'simulated' ? `simulated:${id}` : id
}
