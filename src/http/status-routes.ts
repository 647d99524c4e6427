/** The routes by which relying parties learn that a token holds no longer, without being anybody: each issuer's lists, and a stream of hints. */
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { type StatusLists, statusListUrl } from '../service/status-lists.ts'
import type { ServiceEvent } from '../service/token-ports.ts'
import { issuersOf, type Verifier } from '../service/verifier.ts'
import type { Issuer } from '../token/issuer.ts'
import { STATUS_LIST_TYPE } from '../token/status-list.ts'
import type { EventStreams } from './event-streams.ts'
import type { Guard } from './guard/guard.ts'
import { type Asked, headOr, type Route } from './route.ts'

export interface StatusServed {
  readonly verifier: Verifier
  readonly statusLists: StatusLists
  readonly streams: EventStreams
  /** Knows whom a trusted proxy speaks for. */
  readonly guard: Pick<Guard, 'callerOf'>
}

const listNumber = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, 'must be a number')
  .meta({ description: 'As a token’s status.status_list.uri names it.' })

/**
 * Seconds that a cache on the way may keep a list. They come on top of the ttl that its reader counts from when it got it
 * (draft-ietf-oauth-status-list-17, Security Considerations, Status List Caching), so that they are few.
 */
const CACHED_SECONDS = 5
const MOST_STREAMS_PER_CALLER = 16
const MOST_STREAMS = 256
/** What anybody may read, a browser's script included (section 8.1). */
const everybody = { 'access-control-allow-origin': '*' }

const statusEvent = z.strictObject({
  uri: z.string().meta({ description: 'Of the status list.' }),
  idx: z.int(),
})

export function statusRoutes(served: StatusServed): readonly Route[] {
  const { verifier } = served
  return issuersOf(verifier).flatMap((issuer): readonly Route[] => {
    const below = issuer.url.slice(verifier.publicUrl.length)
    return [
      {
        method: 'GET',
        path: `${below}/status-lists/{list}`,
        parameters: { list: listNumber },
        summary: 'Which tokens of this issuer hold no longer: a signed Token Status List',
        budget: 'public',
        response: z.string(),
        responseType: STATUS_LIST_TYPE,
        problems: ['status-list-unknown', 'too-many-requests', 'storage-unavailable'],
        answer: async (asked) => await statusList(served, issuer, asked),
      },
      {
        method: 'GET',
        path: `${below}/status-events`,
        summary: 'An event for each token of this issuer that is revoked, as it happens',
        budget: 'public',
        response: statusEvent,
        responseType: 'text/event-stream',
        problems: ['too-many-requests'],
        answer: (asked) => headOr(asked, () => statusEvents(served, issuer, asked)),
      },
    ]
  })
}

/** Throws Problem. */
async function statusList(
  { statusLists }: StatusServed,
  issuer: Issuer,
  { parameters: { list = '' }, call: { at } }: Asked,
): Promise<Response> {
  const token = await statusLists.read(issuer, Number(list), at)
  if (token === undefined)
    throw new Problem('status-list-unknown', `${issuer.url} has no status list ${list}`)
  return new Response(token, {
    headers: {
      'content-type': STATUS_LIST_TYPE,
      'cache-control': `public, max-age=${CACHED_SECONDS}`,
      ...everybody,
    },
  })
}

/**
 * Where a token stands in the list and nothing else: whoever has the token knows that place, and to anybody else it is a
 * number. What was missed is in the list, so that nobody's coming back costs a question to the database.
 */
function statusEvents(
  { verifier, streams, guard }: StatusServed,
  issuer: Issuer,
  { request: { headers }, call: { remoteAddress }, disconnect }: Asked,
): Response {
  return streams.open(verifier, {
    reader: `caller ${guard.callerOf(remoteAddress, headers.get('x-forwarded-for'))}`,
    most: MOST_STREAMS_PER_CALLER,
    room: 'public',
    mostInRoom: MOST_STREAMS,
    after: undefined,
    until: undefined,
    isResumable: false,
    shown: (event) => revokedEntry(event, issuer),
    disconnect,
    headers: everybody,
  })
}

function revokedEntry({ kind, fields }: ServiceEvent, { url }: Issuer): string | undefined {
  const { issuer, list, index } = fields
  if (kind !== 'token.revoked' || issuer !== url || typeof list !== 'number') return undefined
  return JSON.stringify({ uri: statusListUrl(url, list), idx: index })
}
