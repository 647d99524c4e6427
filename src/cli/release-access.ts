/** Who answers for resources, and of which tenant: the service behind `--url`, or the database of the settings. */
import { type ResourceReport, resourceResponse } from '../service/resource-report.ts'
import { Mistake } from './arguments.ts'
import { accessOf } from './keys-access.ts'
import type { ReleaseDeps, StoredResources } from './release-deps.ts'
import { askEither, type EitherQuestion } from './service-or-database.ts'

export type Values = Readonly<Record<string, unknown>>

/** Throws Mistake, and Problem. */
export async function askResources<T>(
  question: EitherQuestion<T, StoredResources>,
  values: Values,
  deps: ReleaseDeps,
): Promise<T> {
  return await askEither(question, accessOf(values), { ...deps, open: deps.openResources })
}

/** Throws Mistake where there is no such resource, and Problem. */
export async function resourceFrom(
  name: string,
  values: Values,
  deps: ReleaseDeps,
): Promise<ResourceReport> {
  const tenant = tenantOf(values)
  const path = `/v1/resources/${encodeURIComponent(name)}?tenant=${tenant}`
  return await askResources(
    {
      question: { method: 'GET', path },
      schema: resourceResponse,
      stored: (resources) => resources.show(tenant, name),
    },
    values,
    deps,
  )
}

/** The default one, unless another is named. */
export function tenantOf({ tenant }: Values): string {
  if (tenant === undefined) return 'default'
  if (typeof tenant === 'string' && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(tenant))
    return tenant
  throw new Mistake(
    '--tenant is no name of a tenant.',
    'Give lower-case letters, digits and hyphens, as the settings have it.',
  )
}
