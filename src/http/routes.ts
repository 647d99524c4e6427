/** What is served where: every route of the service, in the order in which the contract lists them. */
import { policySchemas } from '../policy/documents/json-schemas.ts'
import type { Operator } from '../service/operators.ts'
import type { Readiness } from '../service/readiness.ts'
import { type AttestationsServed, attestationRoutes } from './attestation-routes.ts'
import { healthRoutes } from './health-routes.ts'
import { type PoliciesServed, policyRoutes } from './policy-routes.ts'
import type { Route } from './route.ts'
import { schemaRoutes } from './schema-routes.ts'
import { type PolicyWebhook, webhookRoutes } from './webhook-routes.ts'

export interface Served extends AttestationsServed, PoliciesServed {
  readonly operators: readonly Operator[]
  readonly ready: () => Promise<Readiness>
  /** By tenant; one without a secret has no webhook. */
  readonly webhooks: ReadonlyMap<string, PolicyWebhook>
}

export function routesOf(served: Served): readonly Route[] {
  return [
    ...attestationRoutes(served),
    ...policyRoutes(served),
    ...webhookRoutes(served.webhooks),
    ...schemaRoutes(policySchemas, served.verifier.publicUrl),
    ...healthRoutes(served.ready),
  ]
}
