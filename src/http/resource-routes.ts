/** The routes for operators about secrets and model keys: which there are, who put them, and who may be given them. */
import { Problem } from '../problems.ts'
import { approveRelease } from '../service/approve-release.ts'
import { putResource } from '../service/put-resource.ts'
import type { KnownResource } from '../service/release-ports.ts'
import {
  approvalsJson,
  approvalsResponse,
  approvedJson,
  approvedResponse,
  putJson,
  putResponse,
  resourceJson,
  resourceResponse,
  resourceRevokedJson,
  resourceRevokedResponse,
  resourcesJson,
  resourcesResponse,
} from '../service/resource-report.ts'
import { revokeResource } from '../service/revoke-resource.ts'
import type { Verifier } from '../service/verifier.ts'
import { readBody } from './request-body.ts'
import {
  approvalId,
  approvalRequest,
  LARGEST_PUT,
  putRequest,
  resourceName,
  resourceRevocationRequest,
  resourcesQuery,
  settingsOf,
  tenantQuery,
} from './resource-requests.ts'
import { type Asked, json, type Route } from './route.ts'

const SMALL_BODY = 8 * 1024
const PAGE = 100
const MOST_APPROVALS_SHOWN = 1000

export function resourceRoutes(verifier: Verifier): readonly Route[] {
  const parameters = { name: resourceName }
  return [
    {
      method: 'POST',
      path: '/v1/resources',
      summary: 'Adds a secret or model key, gives it another version, or changes how it may be had',
      role: 'secret-admin',
      request: putRequest,
      largestBody: LARGEST_PUT,
      response: putResponse,
      problems: [
        'tenant-unknown',
        'resource-unknown',
        'resource-superseded',
        'resource-guarded',
        'broker-path-taken',
        'key-encryption-unavailable',
        'storage-unavailable',
      ],
      answer: async (asked) => await put(verifier, asked),
    },
    {
      method: 'GET',
      path: '/v1/resources',
      query: resourcesQuery,
      summary:
        'Which secrets and model keys there are, and how each may be had; never what they are',
      role: 'viewer',
      response: resourcesResponse,
      problems: ['tenant-unknown', 'storage-unavailable'],
      answer: async ({ query }) => {
        const tenant = tenantOf(verifier, query.tenant)
        const page = { limit: PAGE, after: query.after }
        return json(resourcesJson(await verifier.store.resourcesOf(tenant, page), PAGE))
      },
    },
    {
      method: 'GET',
      path: '/v1/resources/{name}',
      parameters,
      query: tenantQuery,
      summary: 'One secret or model key: its versions, who put them, and how it may be had',
      role: 'viewer',
      response: resourceResponse,
      problems: ['tenant-unknown', 'resource-unknown', 'storage-unavailable'],
      answer: async (asked) => json(resourceJson(await found(verifier, asked))),
    },
    {
      method: 'POST',
      path: '/v1/resources/{name}/revocations',
      parameters,
      summary: 'Ends versions of a secret or model key: nobody is given them any more',
      role: 'secret-admin',
      request: resourceRevocationRequest,
      largestBody: SMALL_BODY,
      response: resourceRevokedResponse,
      problems: ['tenant-unknown', 'resource-unknown', 'storage-unavailable'],
      answer: async (asked) => await revocation(verifier, asked),
    },
    {
      method: 'GET',
      path: '/v1/release-approvals',
      query: tenantQuery,
      summary: 'Which agents’ keys wait for operators to agree that they may have a secret',
      role: 'viewer',
      response: approvalsResponse,
      problems: ['tenant-unknown', 'storage-unavailable'],
      answer: async (asked) => await approvals(verifier, asked),
    },
    {
      method: 'POST',
      path: '/v1/release-approvals/{id}',
      parameters: { id: approvalId },
      summary: 'Agrees that an agent’s key may have a version of a secret',
      role: 'secret-admin',
      request: approvalRequest,
      largestBody: SMALL_BODY,
      response: approvedResponse,
      problems: ['approval-unknown', 'approval-own-version', 'storage-unavailable'],
      answer: async (asked) => await approval(verifier, asked),
    },
  ]
}

/** Throws Problem. */
async function put(
  verifier: Verifier,
  { request, operator, call: { at } }: Asked,
): Promise<Response> {
  const { value } = await readBody(request, putRequest)
  const tenant = tenantOf(verifier, value.tenant)
  const { name, secret, after } = value
  const done = await putResource(
    verifier,
    { tenant, name, settings: settingsOf(value), secret, after, by: nameOf(operator) },
    at,
  )
  return json(putJson(done))
}

async function found(
  verifier: Verifier,
  { query, parameters: { name = '' } }: Asked,
): Promise<KnownResource> {
  const tenant = tenantOf(verifier, query.tenant)
  const known = await verifier.store.findResource(tenant, name)
  if (known) return known
  throw new Problem('resource-unknown', `there is no ${name} in ${tenant}`)
}

/** Throws Problem. The same request again finds nothing more, and answers with none. */
async function revocation(verifier: Verifier, asked: Asked): Promise<Response> {
  const { value } = await readBody(asked.request, resourceRevocationRequest)
  const tenant = tenantOf(verifier, value.tenant)
  const { name = '' } = asked.parameters
  const { versions } = value
  const by = nameOf(asked.operator)
  const revoked = await revokeResource(verifier, { tenant, name, versions, by }, asked.call.at)
  return json(resourceRevokedJson({ tenant, name }, revoked))
}

async function approvals(verifier: Verifier, { query, call: { at } }: Asked): Promise<Response> {
  const tenant = tenantOf(verifier, query.tenant)
  const { store } = verifier
  const open = await store.approvalsOf(tenant, { at, limit: MOST_APPROVALS_SHOWN })
  const names = [...new Set(open.map(({ resource }) => resource))]
  const known = await Promise.all(names.map((name) => store.findResource(tenant, name)))
  const needed = new Map(known.flatMap((each) => (each ? [[each.name, each.approvals]] : [])))
  return json(
    approvalsJson(open.map((each) => ({ approval: each, needed: needed.get(each.resource) }))),
  )
}

async function approval(
  verifier: Verifier,
  { request, operator, parameters: { id = '' }, call: { at } }: Asked,
): Promise<Response> {
  await readBody(request, approvalRequest)
  return json(approvedJson(await approveRelease(verifier, { id, operator: nameOf(operator) }, at)))
}

/** Throws Problem('tenant-unknown'). */
function tenantOf({ tenants }: Verifier, name = 'default'): string {
  if (tenants.has(name)) return name
  throw new Problem('tenant-unknown', `there is no tenant ${name}`)
}

/** There because the route needs a role. */
function nameOf(operator: Asked['operator']): string {
  if (!operator) throw new Error('nobody is asking')
  return operator.name
}
