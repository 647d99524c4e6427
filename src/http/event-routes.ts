/** The route by which operators' programs hear of revocations and changes as they happen. */
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { standings } from '../service/session-report.ts'
import { toldEvent } from '../service/told-event.ts'
import type { Verifier } from '../service/verifier.ts'
import type { EventStreams } from './event-streams.ts'
import { tenantName } from './request-schemas.ts'
import { type Asked, headOr, type Route } from './route.ts'

export interface EventsServed {
  readonly verifier: Verifier
  readonly streams: EventStreams
}

const MOST_STREAMS_PER_OPERATOR = 8
const MOST_STREAMS = 256

const instant = z.iso.datetime()
const common = { at: instant, tenant: z.string().nullable() }

/** `event` names one of these, and `data` is it. */
const eventData = z.union([
  z
    .looseObject({
      ...common,
      jti: z.string(),
      issuer: z.string(),
      status: z.strictObject({ uri: z.string(), idx: z.int() }),
      expiresAt: instant,
      reason: z.enum(['operator', 'policy', 'collateral']),
    })
    .meta({ title: 'token.revoked' }),
  z
    .looseObject({ ...common, commit: z.string(), digest: z.string() })
    .meta({ title: 'policy.accepted' }),
  z
    .looseObject({ ...common, purpose: z.string(), kid: z.string() })
    .meta({ title: 'keys.changed' }),
  z
    .looseObject({
      ...common,
      session: z.string(),
      environment: z.string(),
      agent: z.string(),
      jkt: z.string(),
      standing: z.enum(standings),
      by: z.string(),
    })
    .meta({ title: 'session.changed' }),
  z
    .looseObject({
      ...common,
      platform: z.string(),
      environment: z.string().nullable(),
      agent: z.string().nullable(),
      change: z.enum(['banned', 'lifted']),
    })
    .meta({ title: 'ban.changed' }),
])

export function eventRoutes(served: EventsServed): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/events',
      query: {
        tenant: tenantName.optional().meta({ description: 'Only what is about this tenant.' }),
      },
      headers: [
        {
          name: 'Last-Event-ID',
          required: false,
          description: 'The id of the last event that was seen: what came after it is told first.',
        },
      ],
      summary:
        'A stream of what happens: revoked tokens, sessions, bans, accepted policies, changed keys',
      role: 'viewer',
      response: eventData,
      responseType: 'text/event-stream',
      problems: ['request-malformed', 'tenant-unknown', 'too-many-requests', 'storage-unavailable'],
      answer: (asked) => headOr(asked, () => events(served, asked)),
    },
  ]
}

/** Throws Problem. */
function events(
  { verifier, streams }: EventsServed,
  { request: { headers }, query: { tenant }, operator, disconnect }: Asked,
): Response {
  // There because the route needs a role.
  if (!operator) throw new Error('nobody is asking')
  if (tenant !== undefined && !verifier.tenants.has(tenant))
    throw new Problem('tenant-unknown', `there is no tenant ${tenant}`)
  return streams.open(verifier, {
    reader: `operator ${operator.name}`,
    most: MOST_STREAMS_PER_OPERATOR,
    room: 'operators',
    mostInRoom: MOST_STREAMS,
    after: lastEventId(headers),
    until: operator.until,
    isResumable: true,
    // What is about the service as a whole is about every tenant.
    shown: (event) =>
      tenant === undefined || event.tenant === undefined || event.tenant === tenant
        ? JSON.stringify(toldEvent(event))
        : undefined,
    disconnect,
  })
}

/** Throws Problem: whoever resumes at a place that cannot be read would miss what it wants. */
function lastEventId(headers: Headers): number | undefined {
  const id = headers.get('last-event-id')
  if (id === null || id === '') return undefined
  if (/^\d{1,15}$/.test(id)) return Number(id)
  throw new Problem('request-malformed', 'the header Last-Event-ID is no id of this stream')
}
