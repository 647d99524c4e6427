/** What is served where: every route of the service, in the order in which the contract lists them. */
import { policySchemas } from '../policy/documents/json-schemas.ts'
import type { OperatorDirectory } from '../service/operators.ts'
import type { Readiness } from '../service/readiness.ts'
import { nothingToShow, type SelfAttesting } from '../service/self-attestation.ts'
import { appraisalRoutes } from './appraisal-routes.ts'
import { attestationRoutes } from './attestation-routes.ts'
import { attestationServiceRoutes } from './attestation-service/routes.ts'
import { eventRoutes } from './event-routes.ts'
import type { Guard } from './guard/guard.ts'
import { healthRoutes } from './health-routes.ts'
import { introspectionRoutes } from './introspection-routes.ts'
import { kbsRoutes } from './kbs/routes.ts'
import { keyRoutes } from './key-routes.ts'
import { logRoutes } from './log-routes.ts'
import { type PoliciesServed, policyRoutes } from './policy-routes.ts'
import { reappraisalRoutes } from './reappraisal-routes.ts'
import { releaseRoutes } from './release-routes.ts'
import type { RequestCounts } from './request-counts.ts'
import { resourceRoutes } from './resource-routes.ts'
import { revocationRoutes } from './revocation-routes.ts'
import type { Route } from './route.ts'
import { schemaRoutes } from './schema-routes.ts'
import { selfAttestationRoutes } from './self-attestation-routes.ts'
import { sessionOperatorRoutes } from './session-operator-routes.ts'
import { type SessionsServed, sessionRoutes } from './session-routes.ts'
import { type StatusServed, statusRoutes } from './status-routes.ts'
import type { Traces } from './trace-context.ts'
import { type PolicyWebhook, webhookRoutes } from './webhook-routes.ts'

export interface Served extends SessionsServed, PoliciesServed, StatusServed {
  readonly operators: OperatorDirectory
  readonly guard: Guard
  /** Undefined: nobody asks for figures. */
  readonly counts?: RequestCounts | undefined
  /** Undefined: what callers say about traces is not heard. */
  readonly traces?: Pick<Traces, 'begin'> | undefined
  /** Undefined: this verifier has no TEE that it could show. */
  readonly self?: SelfAttesting | undefined
  readonly ready: () => Promise<Readiness>
  /** By tenant; one without a secret has no webhook. */
  readonly webhooks: ReadonlyMap<string, PolicyWebhook>
}

export function routesOf(served: Served): readonly Route[] {
  return [
    ...attestationRoutes(served),
    ...appraisalRoutes(served.verifier),
    ...policyRoutes(served),
    ...revocationRoutes(served.verifier),
    ...reappraisalRoutes(served.verifier),
    ...introspectionRoutes(served.verifier),
    ...eventRoutes(served),
    ...statusRoutes(served),
    ...keyRoutes(served.verifier),
    ...resourceRoutes(served.verifier),
    ...releaseRoutes(served.verifier),
    ...sessionRoutes(served),
    ...sessionOperatorRoutes(served.verifier),
    ...kbsRoutes(served.verifier),
    ...attestationServiceRoutes(served.verifier),
    ...logRoutes(served.verifier),
    ...selfAttestationRoutes({ verifier: served.verifier, self: served.self ?? nothingToShow }),
    ...webhookRoutes(served.webhooks),
    ...schemaRoutes(policySchemas, served.verifier.publicUrl),
    ...healthRoutes(served.ready),
  ]
}
