/**
 * `POST /kbs/v0/resource/...`: what `kbs-client config set-resource` sends, an operator's bearer token and the bytes of a
 * secret. It is kept as every secret is, under a name that release rules can have as a scope.
 */
import { Problem } from '../../problems.ts'
import { putResource } from '../../service/put-resource.ts'
import { RESOURCE_NAME } from '../../service/resource-name.ts'
import type { Tenant, Verifier } from '../../service/verifier.ts'
import { receivedBytes } from '../request-body.ts'
import type { Asked, Route } from '../route.ts'
import { brokerRefusal } from './refusals.ts'

export function putRoute(
  verifier: Verifier,
  {
    tenant,
    root,
    parameters,
  }: {
    readonly tenant: Tenant
    readonly root: string
    readonly parameters: NonNullable<Route['parameters']>
  },
): Route {
  return {
    method: 'POST',
    path: `${root}/resource/{repository}/{type}/{tag}`,
    parameters,
    summary: 'Key Broker protocol: put a secret, whose bytes are the body',
    role: 'secret-admin',
    takesBytes: true,
    largestBody: 64 * 1024,
    response: undefined,
    refusal: brokerRefusal,
    problems: [
      'resource-guarded',
      'resource-superseded',
      'broker-path-taken',
      'key-encryption-unavailable',
      'storage-unavailable',
    ],
    answer: (asked) => put(verifier, tenant, asked),
  }
}

async function put(
  verifier: Verifier,
  { name: tenant }: Tenant,
  { request, call, operator, parameters }: Asked,
): Promise<Response> {
  const path = `${parameters.repository}/${parameters.type}/${parameters.tag}`
  const there = await verifier.store.resourceAtBrokerPath(tenant, path)
  const name = there?.name ?? (await nameFor(verifier, { tenant, path }))
  await putResource(
    verifier,
    {
      tenant,
      name,
      settings: { brokerPath: path },
      secret: receivedBytes(request),
      // What came there meanwhile is another.
      ...(!there && { after: 0 }),
      // The route needs a role, so that there is one.
      by: operator?.name ?? '',
    },
    call.at,
  )
  return new Response(null, { status: 200 })
}

/**
 * `secret:default.key.1`, for which a release rule must have a scope before anybody gets it. Never one that there is: two paths
 * may make one name (`a.b/c/d`, `a/b.c/d`), and what was not to be had here must not become so by being guessed.
 */
async function nameFor(
  { store }: Pick<Verifier, 'store'>,
  { tenant, path }: { readonly tenant: string; readonly path: string },
): Promise<string> {
  const name = `secret:${path.replaceAll('/', '.')}`
  const advice = `put it under a name of your choice with \`vouchsafe release put NAME --broker-path ${path}\``
  if (!RESOURCE_NAME.test(name))
    throw new Problem(
      'request-malformed',
      `the path: ${name} is no name of a resource (lower case, at most 63 characters); ${advice}`,
    )
  if (await store.findResource(tenant, name))
    throw new Problem('broker-path-taken', `${name} is another resource; ${advice}`)
  return name
}
