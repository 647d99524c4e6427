/** What operators are told about resources and who may have them, by the service and by the command line alike. Never a secret. */
import { z } from 'zod'
import type { JudgedApproval } from './approve-release.ts'
import type { PutResource } from './put-resource.ts'
import type { KnownResource, ResourceVersion } from './release-ports.ts'

const instant = z.iso.datetime()
const name = z.string()

const settings = {
  use: z.enum(['release', 'decrypt', 'sign']).meta({
    description:
      'release: its bytes leave, sealed to an attested key. decrypt, sign: it is a key that never leaves, and is used here.',
  }),
  approvals: z
    .int()
    .meta({ description: 'How many operators must agree before a key may have it.' }),
  leaseSeconds: z.int(),
  releasesPerMinute: z.int().nullable().meta({ description: 'null: as many as are asked for.' }),
  brokerPath: z
    .string()
    .nullable()
    .meta({ description: 'Where the Key Broker face serves it; null: nowhere.' }),
  requiresSession: z.boolean(),
  acceptsSimulated: z
    .boolean()
    .meta({ description: 'Whether simulated evidence may have it, where the tenant takes any.' }),
}

const version = z.object({
  version: z.int(),
  createdAt: instant,
  createdBy: z.string(),
  revokedAt: instant.nullable(),
})

export const resourceResponse = z.object({
  tenant: z.string(),
  name,
  ...settings,
  versions: z.array(version).meta({ description: 'The newest first.' }),
})

export const resourcesResponse = z.object({
  resources: z.array(resourceResponse),
  after: z
    .string()
    .nullable()
    .meta({ description: 'There are more: ask again with this as `after`. null: these are all.' }),
})

export const putResponse = z.object({
  tenant: z.string(),
  name,
  version: z.int(),
  change: z.enum(['added', 'rotated', 'changed']).meta({
    description:
      'added: it is new. rotated: another secret. changed: the same secret, had in another way.',
  }),
  ...settings,
  next: z.string(),
})

export const resourceRevokedResponse = z.object({
  tenant: z.string(),
  name,
  revoked: z.array(z.int()).meta({ description: 'Versions; none where all were revoked before.' }),
  next: z.string(),
})

const approvalResponse = z.object({
  id: z.string(),
  tenant: z.string(),
  resource: name,
  version: z.int(),
  environment: z.string(),
  agent: z.string(),
  jkt: z.string().meta({ description: 'RFC 7638 thumbprint of the attested signing key.' }),
  requestedAt: instant,
  expiresAt: instant,
  approvedBy: z.array(z.object({ operator: z.string(), at: instant })),
  needed: z
    .int()
    .nullable()
    .meta({ description: 'How many operators must agree; null: the resource is gone.' }),
})

export const approvalsResponse = z.object({ approvals: z.array(approvalResponse) })

export const approvedResponse = z.object({ approval: approvalResponse, next: z.string() })

export type ResourceReport = z.output<typeof resourceResponse>
export type ResourcesReport = z.output<typeof resourcesResponse>
export type PutReport = z.output<typeof putResponse>
export type ResourceRevokedReport = z.output<typeof resourceRevokedResponse>
export type ApprovalsReport = z.output<typeof approvalsResponse>
export type ApprovedReport = z.output<typeof approvedResponse>

export function resourceJson(resource: KnownResource): ResourceReport {
  return {
    tenant: resource.tenant,
    name: resource.name,
    ...settingsJson(resource),
    versions: resource.versions.map(versionJson),
  }
}

/** `limit`: how many were asked for. */
export function resourcesJson(resources: readonly KnownResource[], limit: number): ResourcesReport {
  const last = resources.length === limit ? resources.at(-1) : undefined
  return { resources: resources.map(resourceJson), after: last?.name ?? null }
}

export function putJson({ resource, version, change }: PutResource): PutReport {
  const { tenant, name } = resource
  const older = `Agents that ask from now on are given version ${version.version}. What they have of older ones is good until its lease ends; \`vouchsafe release revoke ${name} --version N\` ends an older version at once.`
  return {
    tenant,
    name,
    version: version.version,
    change,
    ...settingsJson(resource),
    next:
      change === 'added'
        ? `Name ${name} among the scopes of a release rule in the policy repository: until then no agent is given it.`
        : older,
  }
}

export function resourceRevokedJson(
  { tenant, name }: { readonly tenant: string; readonly name: string },
  revoked: readonly number[],
): ResourceRevokedReport {
  return {
    tenant,
    name,
    revoked: [...revoked],
    next: 'Nobody is given these versions any more, and no lease of them is renewed. Who has one already may know it for good: change it where it opens something.',
  }
}

export function approvalsJson(judged: readonly JudgedApproval[]): ApprovalsReport {
  return { approvals: judged.map(approvalJson) }
}

export function approvedJson(judged: JudgedApproval): ApprovedReport {
  const { approval, needed } = judged
  const missing = (needed ?? 0) - approval.approvedBy.length
  return {
    approval: approvalJson(judged),
    next:
      missing > 0
        ? `${missing} more of the operators with the role secret-admin must agree, before ${approval.expiresAt.toISOString()}.`
        : `The agent may have it until ${approval.expiresAt.toISOString()}: it asks again by itself.`,
  }
}

function approvalJson({ approval, needed }: JudgedApproval): z.output<typeof approvalResponse> {
  const { requestedAt, expiresAt, approvedBy, ...named } = approval
  return {
    ...named,
    requestedAt: requestedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    approvedBy: approvedBy.map(({ operator, at }) => ({ operator, at: at.toISOString() })),
    needed: needed ?? null,
  }
}

function settingsJson(resource: PutResource['resource']) {
  const { use, approvals, leaseSeconds, requiresSession, acceptsSimulated } = resource
  return {
    use,
    approvals,
    leaseSeconds,
    releasesPerMinute: resource.releasesPerMinute ?? null,
    brokerPath: resource.brokerPath ?? null,
    requiresSession,
    acceptsSimulated,
  }
}

/** Field by field: a version that came with what is sealed must not bring it along. */
function versionJson({ version, createdAt, createdBy, revokedAt }: ResourceVersion) {
  return {
    version,
    createdAt: createdAt.toISOString(),
    createdBy,
    revokedAt: revokedAt?.toISOString() ?? null,
  }
}
