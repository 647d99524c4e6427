/** How a policy is read on the command line: with every TEE's claims, and an engine for its rules that ends with the command. */
import type { PolicyContext } from '../policy/policy.ts'
import type { ClaimSchema } from '../rats/tee.ts'
import { waivableByPolicy } from '../service/open-verifier.ts'
import { tees } from '../tee/registry.ts'
import type { PolicyDeps } from './policy-deps.ts'

export type Reading = Omit<PolicyContext, 'commit' | 'provenance'>

/** The engine's threads are gone when it resolves. */
export async function whileReading<T>(
  { openEngine }: Pick<PolicyDeps, 'openEngine'>,
  use: (reading: Reading) => Promise<T>,
): Promise<T> {
  const engine = await openEngine()
  try {
    return await use({ waivable: waivableByPolicy(), claimSchemas: claimSchemas(), engine })
  } finally {
    await engine.close()
  }
}

export function claimSchemas(): ReadonlyMap<string, ClaimSchema> {
  return new Map(tees.map(({ name, claimSchema }) => [name, claimSchema]))
}
