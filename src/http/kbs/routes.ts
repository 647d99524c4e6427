/**
 * `/kbs/v0/*`: what the stock Confidential Containers client speaks, for every tenant that switched it on; the tenant
 * `default` at the root, others below `/t/<tenant>`. docs/key-broker.md says what differs from Trustee, and why.
 */
import { z } from 'zod'
import { Problem } from '../../problems.ts'
import { attestForBroker } from '../../service/broker-attest.ts'
import { releaseForBroker } from '../../service/broker-resource.ts'
import { beginHandshake } from '../../service/broker-session.ts'
import type { BrokerSession } from '../../service/release-ports.ts'
import type { Tenant, Verifier } from '../../service/verifier.ts'
import { readBody, readExactBody } from '../request-body.ts'
import { type Asked, json, type Route } from '../route.ts'
import { putRoute } from './admin-routes.ts'
import { cookieOf, sessionIn } from './cookie.ts'
import {
  answerIn,
  attestResponse,
  authRequest,
  authResponse,
  hashesIn,
  resourceResponse,
} from './messages.ts'
import { brokerRefusal } from './refusals.ts'

/** The JSON of evidence is judged by hand: its integers must not be rounded. */
const anyJson = z.unknown()

const segment = z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/, 'must be a segment')
/** `default/key/1` */
const resourcePath = { repository: segment, type: segment, tag: segment } as const

export function kbsRoutes(verifier: Verifier): readonly Route[] {
  return [...verifier.tenants.values()].flatMap((tenant) =>
    tenant.broker?.keyBroker ? tenantRoutes(verifier, tenant) : [],
  )
}

function tenantRoutes(verifier: Verifier, tenant: Tenant): readonly Route[] {
  const root = `${pathOf(verifier, tenant)}/kbs/v0`
  return [
    {
      method: 'POST',
      path: `${root}/auth`,
      summary: 'Key Broker protocol: begin a handshake',
      budget: 'handshakes',
      largestBody: 16 * 1024,
      request: authRequest,
      response: authResponse,
      refusal: brokerRefusal,
      problems: ['broker-handshake-refused', 'storage-unavailable'],
      answer: (asked) => auth(verifier, { tenant, root }, asked),
    },
    {
      method: 'POST',
      path: `${root}/attest`,
      summary: 'Key Broker protocol: answer a handshake with evidence',
      request: anyJson,
      response: attestResponse,
      refusal: brokerRefusal,
      problems: [
        'broker-handshake-refused',
        'evidence-unrecognised',
        'evidence-rejected',
        'policy-unavailable',
        'policy-stale',
        'collateral-unavailable',
        'storage-unavailable',
      ],
      answer: (asked) => attest(verifier, { tenant, root }, asked),
    },
    {
      method: 'GET',
      path: `${root}/resource/{repository}/{type}/{tag}`,
      parameters: resourcePath,
      summary: 'Key Broker protocol: a secret, sealed to the key of an attested handshake',
      budget: 'releases',
      response: resourceResponse,
      refusal: brokerRefusal,
      problems: [
        'broker-session-required',
        'broker-handshake-refused',
        'resource-unknown',
        'release-refused',
        'policy-unavailable',
        'policy-stale',
        'key-encryption-unavailable',
        'storage-unavailable',
      ],
      answer: (asked) => resource(verifier, tenant, asked),
    },
    putRoute(verifier, { tenant, root, parameters: resourcePath }),
  ]
}

/** Below the public address: empty for the tenant `default`. */
export function pathOf({ publicUrl }: Verifier, { issuers }: Tenant): string {
  return issuers.hardware.url.slice(publicUrl.length)
}

interface Place {
  readonly tenant: Tenant
  readonly root: string
}

async function auth(
  verifier: Verifier,
  { tenant, root }: Place,
  { request, call, forTenant }: Asked,
): Promise<Response> {
  const { value } = await readBody(request, authRequest)
  await forTenant(tenant.name)
  const { version, tee } = value
  const { session, selectedHash } = await beginHandshake(
    verifier,
    { tenant, request: { version, tee, hashes: hashesIn(value) } },
    call,
  )
  const body = {
    nonce: session.nonce,
    'extra-params': selectedHash === undefined ? '' : { 'selected-hash-algorithm': selectedHash },
  } satisfies z.input<typeof authResponse>
  return withCookie(json(body), session, { root, verifier })
}

async function attest(
  verifier: Verifier,
  { tenant, root }: Place,
  { request, call, forTenant, unprovenEvidence }: Asked,
): Promise<Response> {
  const answer = answerIn(readExactBody(request))
  await forTenant(tenant.name)
  const sessionId = sessionIn(request.headers)
  const outcome = await attestForBroker(verifier, { tenant, sessionId, answer }, call)
  if (outcome.verdict === 'issued') {
    const body = { token: outcome.token } satisfies z.input<typeof attestResponse>
    return withCookie(json(body), outcome.session, { root, verifier })
  }
  if (!outcome.isProven) await unprovenEvidence()
  const { stage, failing } = outcome.refusal
  throw new Problem(
    'evidence-rejected',
    `refused at ${stage} by ${failing.join(', ') || 'no single check'}; operators: vouchsafe explain ${call.requestId}`,
  )
}

async function resource(
  verifier: Verifier,
  tenant: Tenant,
  { request, call, parameters, forTenant }: Asked,
): Promise<Response> {
  await forTenant(tenant.name)
  const { repository, type, tag } = parameters
  const { sealed } = await releaseForBroker(
    verifier,
    {
      tenant,
      cookie: sessionIn(request.headers),
      token: /^bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1],
      path: `${repository}/${type}/${tag}`,
    },
    call,
  )
  return json(sealed satisfies z.input<typeof resourceResponse>)
}

function withCookie(
  response: Response,
  session: BrokerSession,
  { root, verifier: { publicUrl } }: { readonly root: string; readonly verifier: Verifier },
): Response {
  response.headers.set('set-cookie', cookieOf(session, { path: root, publicUrl }))
  return response
}
