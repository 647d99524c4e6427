/**
 * What happens between the router and a route: who asks is counted, then known, then what he asks is read, and only then is
 * anything done for it. The cheapest refusal comes first, and a stranger learns nothing about which tenants there are.
 */
import type { IncomingMessage } from 'node:http'
import { Problem } from '../problems.ts'
import {
  type Operator,
  type OperatorDirectory,
  operatorNamed,
  withRole,
} from '../service/operators.ts'
import type { Call, Verifier } from '../service/verifier.ts'
import type { Admission } from './guard/admission.ts'
import type { BodyShare } from './guard/body-room.ts'
import type { Drawing } from './guard/budgets.ts'
import type { Guard } from './guard/guard.ts'
import { receiveBody } from './request-body.ts'
import { type Asked, budgetOf, queueOf, type Route } from './route.ts'

export interface Arrival {
  readonly request: Request
  /** Where its body comes from. */
  readonly incoming: IncomingMessage
  readonly call: Call
  /** Of the path, percent-decoded; undefined for a name that it has not. */
  readonly parameter: (name: string) => string | undefined
  readonly drawing: Drawing
  readonly disconnect: () => void
}

export interface Doors {
  readonly operators: OperatorDirectory
  readonly guard: Guard
  readonly verifier: Pick<Verifier, 'tenants'>
}

/** Throws Problem. */
export async function answerRoute(doors: Doors, route: Route, arrival: Arrival): Promise<Response> {
  const { request, incoming, call, drawing, disconnect } = arrival
  const budget = budgetOf(route)
  if (budget !== 'none' && budget !== 'operators') await drawing.asCaller(budget)
  const operator = await operatorFor(doors.operators, route, arrival)
  if (operator && budget === 'operators') await drawing.asOperator(operator.name)
  const asked: Asked = {
    request,
    call,
    parameters: parametersOf(route, arrival),
    query: queryOf(route, request),
    operator,
    unprovenEvidence: drawing.unprovenEvidence,
    messages: drawing,
    // Only those that there are: strangers could make up any number.
    forTenant: async (name) => {
      if (doors.verifier.tenants.has(name)) await drawing.forTenant(name)
    },
    disconnect,
  }
  await route.before?.(asked)
  const { bodies, operatorBodies } = doors.guard
  const queue = queueOf(route)
  const share = operator ? operatorBodies.open(operator.name) : bodies.open(drawing.caller)
  try {
    return queue
      ? await answerInTurn(doors.guard[queue], route, { asked, incoming, share })
      : await answerNow(route, { asked, incoming, share })
  } finally {
    share.close()
  }
}

interface Work {
  readonly asked: Asked
  readonly incoming: IncomingMessage
  readonly share: BodyShare
}

async function answerNow(route: Route, work: Work): Promise<Response> {
  await receive(route, work)
  return await route.answer(work.asked)
}

async function receive(
  { request, largestBody: most, takesForm, takesBytes }: Route,
  { asked, incoming, share }: Work,
): Promise<void> {
  if (!request && !takesBytes) return
  const takes = takesBytes ? 'bytes' : takesForm ? 'json or form' : 'json'
  await receiveBody(asked.request, { incoming, share, most, takes })
}

/** Room is asked for before the body is read, and a turn taken only when it is there: a slow sender holds no turn. */
async function answerInTurn(admission: Admission, route: Route, work: Work): Promise<Response> {
  admission.assertRoom()
  await receive(route, work)
  const leave = await admission.enter()
  try {
    return await route.answer(work.asked)
  } finally {
    leave()
  }
}

/** Throws Problem where the route needs a role. */
async function operatorFor(
  operators: OperatorDirectory,
  { role, welcomes, takesAgents }: Route,
  { request: { headers }, call: { at }, drawing }: Arrival,
): Promise<Operator | undefined> {
  const authorization = headers.get('authorization') ?? undefined
  if (role && takesAgents && /^dpop /i.test(authorization ?? '')) {
    await drawing.asCaller('public')
    return undefined
  }
  if (role) {
    await drawing.beforeSignIn()
    const operator = await operatorNamed(operators, authorization, at)
    if (!operator) await drawing.failedSignIn()
    return withRole(operator, role)
  }
  if (!welcomes || authorization === undefined) return undefined
  try {
    return withRole(await operatorNamed(operators, authorization, at), welcomes)
  } catch (error) {
    // No refusal of its own: what stands in front of agents may put its own tokens into this header.
    if (error instanceof Problem) return undefined
    throw error
  }
}

/** Throws Problem. The router gives percent-decoded text, or the raw one where that cannot be done. */
function parametersOf(
  { parameters = {} }: Route,
  { parameter }: Arrival,
): Readonly<Record<string, string>> {
  const read: Record<string, string> = {}
  for (const [name, schema] of Object.entries(parameters)) {
    const parsed = schema.safeParse(parameter(name))
    if (!parsed.success) throw new Problem('route-unknown', `no route has this path: {${name}}`)
    read[name] = parsed.data
  }
  return read
}

const nothingGiven = new URLSearchParams()

/** Throws Problem: a misspelt restriction would otherwise be none. */
function queryOf({ query }: Route, { url }: Request): Readonly<Record<string, string | undefined>> {
  if (!query) return {}
  // To parse an address costs more than to look whether there is anything in it.
  const given = url.includes('?') ? new URL(url).searchParams : nothingGiven
  for (const name of given.keys())
    if (!Object.hasOwn(query, name))
      throw new Problem(
        'request-malformed',
        `the query takes ${Object.keys(query).join(', ')} and nothing else`,
      )
  const read: Record<string, string | undefined> = {}
  for (const [name, schema] of Object.entries(query)) {
    const all = given.getAll(name)
    if (all.length > 1) throw new Problem('request-malformed', `the query has ${name} twice`)
    const parsed = schema.safeParse(all[0])
    if (!parsed.success)
      throw new Problem(
        'request-malformed',
        `the query's ${name}: ${parsed.error.issues[0]?.message ?? 'is not of the documented form'}`,
      )
    read[name] = parsed.data
  }
  return read
}
