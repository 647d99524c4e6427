/** Who is to be attested, to whom, and for what: what every command says that attests. */
import { SIMULATED_MACHINE } from './simulated-machine.ts'

export interface AttestRequest {
  readonly service: string
  /** Undefined: the service's own for this tenant and kind of evidence. */
  readonly issuer: string | undefined
  readonly tenant: string
  readonly environment: string
  readonly agent: string
  readonly audiences: readonly string[]
  /** Undefined: this very machine. */
  readonly simulated: { readonly folder: string; readonly machineFile: string } | undefined
  readonly release: { readonly resource: string; readonly minimumVersion: number } | undefined
}

export const agentOptions = {
  service: { type: 'string' },
  issuer: { type: 'string' },
  tenant: { type: 'string' },
  environment: { type: 'string' },
  agent: { type: 'string' },
  audience: { type: 'string', multiple: true },
  simulator: { type: 'string' },
  machine: { type: 'string' },
} as const

interface AgentValues {
  readonly issuer?: string | undefined
  readonly tenant?: string | undefined
  readonly environment?: string | undefined
  readonly audience?: readonly string[] | undefined
  readonly simulator?: string | undefined
  readonly machine?: string | undefined
}

export function attestRequest(
  { issuer, tenant, environment, audience = [], simulator, machine }: AgentValues,
  { service, agent, release }: Pick<AttestRequest, 'service' | 'agent' | 'release'>,
): AttestRequest {
  return {
    service: service.replace(/\/$/, ''),
    issuer,
    tenant: tenant ?? 'default',
    environment: environment ?? 'prod',
    agent,
    audiences: audience,
    simulated:
      simulator === undefined
        ? undefined
        : { folder: simulator, machineFile: machine ?? SIMULATED_MACHINE },
    release,
  }
}
