/** The routes for operators about sessions: which there are, how each stands and why, what to do with one, and machines that are banned. */
import { Problem } from '../problems.ts'
import { actOnSession } from '../service/act-on-session.ts'
import { banMachine, liftBan } from '../service/ban-machine.ts'
import {
  bannedJson,
  bannedResponse,
  bansJson,
  bansResponse,
  liftedJson,
  liftedResponse,
} from '../service/ban-report.ts'
import type { Ban, SessionRecord } from '../service/session-ports.ts'
import {
  sessionDocument,
  sessionJson,
  sessionLine,
  sessionLineJson,
  sessionsJson,
  sessionsResponse,
  standings,
} from '../service/session-report.ts'
import { sessionSummary, summariseSessions } from '../service/session-summary.ts'
import type { Verifier } from '../service/verifier.ts'
import { readBody } from './request-body.ts'
import { type Asked, json, type Route } from './route.ts'
import {
  actionRequest,
  banRequest,
  liftRequest,
  sessionParameter,
  sessionsQuery,
  tenantQuery,
} from './session-operator-requests.ts'

const SMALL_BODY = 8 * 1024
const PAGE = 100

export function sessionOperatorRoutes(verifier: Verifier): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/sessions',
      query: sessionsQuery,
      summary: 'Which sessions there are, and how each stands at this moment',
      role: 'viewer',
      response: sessionsResponse,
      problems: ['tenant-unknown', 'storage-unavailable'],
      answer: async (asked) => await list(verifier, asked),
    },
    {
      method: 'GET',
      path: '/v1/sessions/{id}',
      parameters: sessionParameter,
      summary: 'One session: what it measured, what is wrong with it, and what brought it down',
      role: 'viewer',
      response: sessionDocument,
      problems: ['session-unknown', 'storage-unavailable'],
      answer: async (asked) => await show(verifier, asked),
    },
    {
      method: 'POST',
      path: '/v1/sessions/{id}/actions',
      parameters: sessionParameter,
      summary: 'Quarantines, releases or evicts a session, or asks it for a full quote',
      role: 'operator',
      request: actionRequest,
      largestBody: SMALL_BODY,
      response: sessionLine,
      problems: ['session-unknown', 'session-action-refused', 'storage-unavailable'],
      answer: async (asked) => await act(verifier, asked),
    },
    {
      method: 'GET',
      path: '/v1/session-summary',
      query: tenantQuery,
      summary: 'How many sessions are in which state, and what watching them costs',
      role: 'viewer',
      response: sessionSummary,
      problems: ['tenant-unknown', 'storage-unavailable'],
      answer: async ({ query, call: { at } }) => {
        const tenant = tenantOf(verifier, query.tenant)
        const moment = { at, outages: verifier.outages() }
        return json(await summariseSessions(verifier.store, tenant, moment))
      },
    },
    {
      method: 'GET',
      path: '/v1/bans',
      query: tenantQuery,
      summary: 'Which machines may not be attested, for which agents',
      role: 'viewer',
      response: bansResponse,
      problems: ['tenant-unknown', 'storage-unavailable'],
      answer: async ({ query }) =>
        json(bansJson(await verifier.store.bansOf(tenantOf(verifier, query.tenant)))),
    },
    {
      method: 'POST',
      path: '/v1/bans',
      summary:
        'Bans a machine, for one agent or for every one: no session and no token until it is lifted',
      role: 'operator',
      request: banRequest,
      largestBody: SMALL_BODY,
      response: bannedResponse,
      problems: ['tenant-unknown', 'session-unknown', 'storage-unavailable'],
      answer: async (asked) => await ban(verifier, asked),
    },
    {
      method: 'POST',
      path: '/v1/bans/lifts',
      summary: 'Lifts a ban',
      role: 'operator',
      request: liftRequest,
      largestBody: SMALL_BODY,
      response: liftedResponse,
      problems: ['tenant-unknown', 'ban-unknown', 'storage-unavailable'],
      answer: async (asked) => await lift(verifier, asked),
    },
  ]
}

/** Throws Problem. */
async function list(verifier: Verifier, { query, call: { at } }: Asked): Promise<Response> {
  const { environment, agent, standing, after } = query
  const page = await verifier.store.sessionsOf(tenantOf(verifier, query.tenant), {
    ...{ limit: PAGE, environment, agent, after },
    standing: standings.find((each) => each === standing),
  })
  const moment = { at, outages: verifier.outages() }
  return json(sessionsJson(page, { limit: PAGE, moment }))
}

/** Throws Problem. */
async function show(
  verifier: Verifier,
  { parameters: { id = '' }, call: { at } }: Asked,
): Promise<Response> {
  const session = await found(verifier, id)
  const deltas = await verifier.store.deltasOf(id)
  const policy = verifier.tenants.get(session.tenant)?.policy.accepted()
  return json(sessionJson(session, { deltas, policy, moment: { at, outages: verifier.outages() } }))
}

/** Throws Problem. The same action again changes nothing, and answers the same. */
async function act(
  verifier: Verifier,
  { request, operator, parameters: { id = '' }, call: { at } }: Asked,
): Promise<Response> {
  const { value } = await readBody(request, actionRequest)
  const { session } = await actOnSession(verifier, { id, ...value, by: nameOf(operator) }, at)
  return json(sessionLineJson(session, { at, outages: verifier.outages() }))
}

/** Throws Problem. */
async function ban(
  verifier: Verifier,
  { request, operator, call: { at } }: Asked,
): Promise<Response> {
  const { value } = await readBody(request, banRequest)
  const tenant = tenantOf(verifier, value.tenant)
  const common = { tenant, ...agentOf(value.agent), reason: value.reason }
  const banned = []
  for (const platform of await platformsOf(verifier, value))
    banned.push(await banMachine(verifier, { ...common, platform, by: nameOf(operator), at }))
  return json(bannedJson(banned))
}

/** A machine may have several names, and comes back under any of them. */
async function platformsOf(
  verifier: Verifier,
  { tenant, platform, session: id }: { tenant: string; platform?: string; session?: string },
): Promise<readonly string[]> {
  if (platform !== undefined) return [platform]
  const session = await found(verifier, id ?? '')
  if (session.tenant !== tenant)
    throw new Problem('session-unknown', `there is no session ${session.id} in ${tenant}`)
  if (session.platforms.length > 0) return session.platforms
  throw new Problem(
    'request-malformed',
    `the evidence of session ${session.id} says of no machine which one it is: evict the session, or name a platform`,
  )
}

/** Throws Problem. */
async function lift(
  verifier: Verifier,
  { request, operator, call: { at } }: Asked,
): Promise<Response> {
  const { value } = await readBody(request, liftRequest)
  const { platform, reason } = value
  const tenant = tenantOf(verifier, value.tenant)
  const lifted = { tenant, platform, ...agentOf(value.agent), reason, by: nameOf(operator), at }
  await liftBan(verifier, lifted)
  return json(liftedJson(lifted))
}

function agentOf(
  agent: { readonly environment: string; readonly agent: string } | undefined,
): Pick<Ban, 'environment' | 'agent'> {
  return { environment: agent?.environment, agent: agent?.agent }
}

async function found({ store }: Verifier, id: string): Promise<SessionRecord> {
  const session = await store.findSession(id)
  if (session) return session
  throw new Problem('session-unknown', `there is no session ${id}`)
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
