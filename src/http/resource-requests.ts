/** The requests about resources as they stand on the wire. What is secret in them is told in no refusal: only fields and rules are. */
import { z } from 'zod'
import { fromBase64 } from '../bytes/encoding.ts'
import {
  BROKER_PATH,
  LARGEST_SECRET,
  LONGEST_LEASE_SECONDS,
  MOST_APPROVALS,
  MOST_RELEASES_PER_MINUTE,
  RESOURCE_NAME,
  SHORTEST_LEASE_SECONDS,
} from '../service/resource-name.ts'
import type { SettingsChange } from '../service/resource-settings.ts'
import { tenantName } from './request-schemas.ts'

/** Base64 of the largest secret, and room for the rest. */
export const LARGEST_PUT = 96 * 1024

const MOST_VERSIONS_NAMED = 100

export const resourceName = z
  .string()
  .regex(RESOURCE_NAME, 'must be secret: or model: and lower-case letters, digits and any of ._-')
  .meta({ examples: ['secret:db-ro'] })

const tenant = tenantName.default('default')

const secret = z
  .string()
  .min(1)
  .max(Math.ceil(LARGEST_SECRET / 3) * 4)
  .transform((text, context) => {
    const bytes = fromBase64(text)
    if (bytes && bytes.length > 0 && bytes.length <= LARGEST_SECRET) return bytes
    context.addIssue(`is not base64 of 1 to ${LARGEST_SECRET} bytes`)
    return z.NEVER
  })
  .meta({ contentEncoding: 'base64', description: 'Absent: as it is; other members change.' })

const whole = (least: number, most: number) =>
  z.int(`must be ${least} to ${most}`).min(least).max(most)

export const putRequest = z.strictObject({
  tenant,
  name: resourceName,
  secret: secret.exactOptional(),
  after: whole(0, 2 ** 31 - 1)
    .exactOptional()
    .meta({
      description:
        'The newest version that you know of; 0: there is none. Where it is another, nothing is done.',
    }),
  use: z.enum(['release', 'decrypt', 'sign']).exactOptional(),
  approvals: whole(0, MOST_APPROVALS)
    .exactOptional()
    .meta({ description: 'Operators, without whoever put it there.' }),
  leaseSeconds: whole(SHORTEST_LEASE_SECONDS, LONGEST_LEASE_SECONDS).exactOptional(),
  releasesPerMinute: whole(1, MOST_RELEASES_PER_MINUTE)
    .nullable()
    .exactOptional()
    .meta({ description: 'null: as many as are asked for.' }),
  brokerPath: z
    .string()
    .regex(BROKER_PATH, 'must be three segments of at most 64 letters, digits and any of _.-')
    .nullable()
    .exactOptional()
    .meta({ description: 'Where the Key Broker face serves it; null: nowhere.' }),
  requiresSession: z.boolean().exactOptional(),
  acceptsSimulated: z
    .boolean()
    .exactOptional()
    .meta({ description: 'Default: false. Whether simulated evidence may have it.' }),
})

/** What is not named stays; null takes a limit or a path away. */
export function settingsOf(body: z.output<typeof putRequest>): SettingsChange {
  const { use, approvals, leaseSeconds, releasesPerMinute, brokerPath } = body
  const { requiresSession, acceptsSimulated } = body
  return {
    ...(use !== undefined && { use }),
    ...(approvals !== undefined && { approvals }),
    ...(leaseSeconds !== undefined && { leaseSeconds }),
    ...(releasesPerMinute !== undefined && { releasesPerMinute: releasesPerMinute ?? undefined }),
    ...(brokerPath !== undefined && { brokerPath: brokerPath ?? undefined }),
    ...(requiresSession !== undefined && { requiresSession }),
    ...(acceptsSimulated !== undefined && { acceptsSimulated }),
  }
}

export const resourceRevocationRequest = z.strictObject({
  tenant,
  versions: z
    .union([
      z.literal('all'),
      z
        .array(whole(1, 2 ** 31 - 1))
        .min(1)
        .max(MOST_VERSIONS_NAMED),
    ])
    .meta({ description: 'Numbers, or all.' }),
})

export const approvalRequest = z.strictObject({})

export const approvalId = z.string().regex(/^[0-9a-f]{64}$/, 'must be the id of a question')

export const tenantQuery = { tenant: tenantName.optional() }

export const resourcesQuery = {
  ...tenantQuery,
  after: resourceName.optional(),
}
