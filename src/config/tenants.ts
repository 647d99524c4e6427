/** What was given for each tenant, judged as it was given: so it is told beside whatever else is wrong. */
import { asObject, type ConfigSources, type Given } from './given.ts'
import { keyBrokerContradictions } from './key-broker.ts'
import { policyContradictions } from './policy-settings.ts'
import { type TenantSecrets, tenantSecretsOf } from './secrets.ts'

interface GivenTenant {
  readonly name: unknown
  readonly policy: unknown
  readonly simulatedRoots: unknown
  readonly keyBroker: unknown
  /** Where it stands in the file, and where its policy does, with a dot at their ends; nothing for `default`. */
  readonly root: string
  readonly at: string
}

export function tenantMistakes(given: Given): readonly string[] {
  const tenants = tenantsGiven(given)
  const names = tenants.map(({ name }) => name)
  const twice = names.filter(
    (each, index) => typeof each === 'string' && names.indexOf(each) !== index,
  )
  return [
    ...(names.length === 0
      ? [
          'VOUCHSAFE_POLICY (or tenants in the file) is missing: without a policy nothing is released',
        ]
      : []),
    ...(given.simulatedRoots !== undefined && given.policy === undefined
      ? ['VOUCHSAFE_SIMULATED_ROOTS belongs to the tenant of VOUCHSAFE_POLICY, which is missing']
      : []),
    ...(given.keyBroker !== undefined && given.policy === undefined
      ? ['VOUCHSAFE_KBS belongs to the tenant of VOUCHSAFE_POLICY, which is missing']
      : []),
    ...[...new Set(twice)].map((each) => `tenants: ${each} appears twice`),
    ...tenants.flatMap((tenant) => keyBrokerContradictions(tenant, tenant.root)),
    ...tenants.flatMap(({ policy, at }) => policyContradictions(policy, at)),
  ]
}

/** By the tenant's name. */
export function tenantSecrets(
  sources: ConfigSources,
  given: Given,
  mistakes: string[],
): ReadonlyMap<string, TenantSecrets> {
  const secrets = new Map<string, TenantSecrets>()
  for (const tenant of tenantsGiven(given)) {
    const own = tenantSecretsOf(sources, tenant, mistakes)
    if (typeof tenant.name === 'string') secrets.set(tenant.name, own)
  }
  return secrets
}

function tenantsGiven({
  policy,
  simulatedRoots,
  keyBroker,
  tenants,
}: Given): readonly GivenTenant[] {
  const listed = Array.isArray(tenants) ? tenants.map(asObject) : []
  return [
    ...(policy === undefined
      ? []
      : [{ name: 'default', policy, simulatedRoots, keyBroker, root: '', at: 'policy.' }]),
    ...listed.map((tenant, index) => ({
      name: tenant.name,
      policy: tenant.policy,
      simulatedRoots: tenant.simulatedRoots,
      keyBroker: tenant.keyBroker,
      root: `tenants.${index}.`,
      at: `tenants.${index}.policy.`,
    })),
  ]
}
