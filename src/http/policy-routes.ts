/** The routes for operators, and for what enforces a policy elsewhere: which policy holds, who lags behind it, what would change. */
import type { Policy } from '../policy/policy.ts'
import { Problem } from '../problems.ts'
import { enforcementReportSchema, reportEnforcement } from '../service/enforcement.ts'
import { policyReport } from '../service/policy-report.ts'
import { diffPolicies } from '../service/reappraise.ts'
import type { Tenant, Verifier } from '../service/verifier.ts'
import {
  driftJson,
  driftResponse,
  policiesJson,
  policiesResponse,
  policyJson,
  policyResponse,
} from './policy-responses.ts'
import { readBody } from './request-body.ts'
import { diffRequest, tenantName } from './request-schemas.ts'
import { type Asked, json, type Route } from './route.ts'

export interface PoliciesServed {
  readonly verifier: Verifier
  readonly archive: PolicyArchive
}

/** What commits of a tenant's repository say, whether or not they were ever accepted. */
export interface PolicyArchive {
  /** Throws Problem('commit-unusable'). */
  readonly policyOf: (tenant: string, commit: string) => Promise<Policy>
}

const LOOK_BACK_MS = 7 * 24 * 3600_000
/** Half a minute's work: somebody waits for it. */
const MOST_COMPARED = 10_000

export function policyRoutes(served: PoliciesServed): readonly Route[] {
  const { verifier } = served
  const parameters = { tenant: tenantName }
  const diffing = new Set<string>()
  return [
    {
      method: 'GET',
      path: '/v1/policies',
      summary: 'Every tenant’s policy: what holds, who enforces it, what it changed',
      role: 'viewer',
      response: policiesResponse,
      problems: ['storage-unavailable'],
      answer: async ({ call: { at } }) => {
        const names = [...verifier.tenants.keys()]
        return json(
          policiesJson(await Promise.all(names.map((name) => policyReport(verifier, name, at)))),
        )
      },
    },
    {
      method: 'GET',
      path: '/v1/policies/{tenant}',
      parameters,
      summary: 'One tenant’s policy, and each verdict that the last change of policy changed',
      role: 'viewer',
      response: policyResponse,
      problems: ['tenant-unknown', 'storage-unavailable'],
      answer: async (asked) => {
        const { name } = tenantOf(verifier, asked)
        return json(policyJson(await policyReport(verifier, name, asked.call.at)))
      },
    },
    {
      method: 'POST',
      path: '/v1/policies/{tenant}/enforcement',
      parameters,
      summary: 'Which policy an enforcement point goes by now; to be said every half minute',
      role: 'enforcer',
      request: enforcementReportSchema,
      response: undefined,
      status: 202,
      problems: ['tenant-unknown', 'too-many-requests', 'storage-unavailable'],
      answer: async (asked) => {
        const { request, operator, call } = asked
        const { name } = tenantOf(verifier, asked)
        const { value } = await readBody(request, enforcementReportSchema)
        // There because the route needs a role.
        if (!operator) throw new Error('nobody is asking')
        await reportEnforcement(verifier, { ...value, tenant: name }, { operator, at: call.at })
        return new Response(null, { status: 202 })
      },
    },
    {
      method: 'POST',
      path: '/v1/policies/{tenant}/diff',
      parameters,
      summary:
        'Whose verdict would change between two commits? The last week’s evidence appraised again',
      role: 'viewer',
      request: diffRequest,
      response: driftResponse,
      problems: ['tenant-unknown', 'commit-unusable', 'too-many-requests', 'storage-unavailable'],
      answer: async (asked) => {
        const tenant = tenantOf(verifier, asked)
        const { value } = await readBody(asked.request, diffRequest)
        return await oneAtATime(diffing, tenant.name, () => diff(served, { tenant, asked, value }))
      },
    },
  ]
}

/** Throws Problem. Operators only come this far, so that it may be said which tenants there are not. */
function tenantOf({ tenants }: Verifier, { parameters: { tenant: name = '' } }: Asked): Tenant {
  const tenant = tenants.get(name)
  if (!tenant) throw new Problem('tenant-unknown', `there is no tenant ${name}`)
  return tenant
}

async function diff(
  { verifier, archive }: PoliciesServed,
  {
    tenant,
    asked: { request, call },
    value,
  }: {
    readonly tenant: Tenant
    readonly asked: Asked
    readonly value: { readonly old: string; readonly new: string }
  },
): Promise<Response> {
  const from = await archive.policyOf(tenant.name, value.old)
  const to = await archive.policyOf(tenant.name, value.new)
  const report = await diffPolicies({
    verifier,
    tenant,
    from,
    to,
    since: new Date(call.at.getTime() - LOOK_BACK_MS),
    at: call.at,
    most: MOST_COMPARED,
    // Nobody waits any more.
    signal: request.signal,
  })
  return json(driftJson(report))
}

/** It takes seconds of the processor: one for each tenant, whoever asks. */
async function oneAtATime(
  running: Set<string>,
  tenant: string,
  work: () => Promise<Response>,
): Promise<Response> {
  if (running.has(tenant))
    throw new Problem('too-many-requests', `two policies of ${tenant} are being compared already`, {
      retryAfterSeconds: 10,
    })
  running.add(tenant)
  try {
    return await work()
  } finally {
    running.delete(tenant)
  }
}
