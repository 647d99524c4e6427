/** The routes by which a decision is explained afterwards: one appraisal to operators and to its own agent, and the list of them. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { type ExplainedAppraisal, explainAppraisal } from '../service/explain-appraisal.ts'
import type { AppraisalPage } from '../service/ports.ts'
import { provePossession } from '../service/possession.ts'
import type { Verifier } from '../service/verifier.ts'
import {
  appraisalListResponse,
  explainedJson,
  explainedResponse,
  ownVerdictJson,
  ownVerdictResponse,
  toldJson,
} from './appraisal-responses.ts'
import { tenantName } from './request-schemas.ts'
import { type Asked, json, type Route } from './route.ts'

const appraisalName = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be the id of an appraisal or of a request')
  .meta({ examples: ['0f8fad5b-d9cb-869f-a165-70867728950e'] })

const USUAL_PAGE = 50
const LARGEST_PAGE = 100

const whole = z
  .string()
  .regex(/^[1-9]\d{0,2}$/, `must be 1 to ${LARGEST_PAGE}`)
  .refine((text) => Number(text) <= LARGEST_PAGE, `must be 1 to ${LARGEST_PAGE}`)
/** The database has no year 0. */
const instant = z.iso
  .datetime('must be a time as in 2026-01-01T00:00:00Z')
  .regex(/^(?!0000)/, 'must be a time as in 2026-01-01T00:00:00Z')
const cursor = z
  .string()
  .regex(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z~[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    'must be `next` of the page before',
  )
  .refine(
    (text) => instant.safeParse(text.split('~')[0]).success,
    'must be `next` of the page before',
  )

const listQuery = {
  tenant: tenantName.optional().meta({ description: 'Default: default.' }),
  since: instant.optional().meta({ description: 'None older than this.' }),
  limit: whole.optional().meta({ description: `At most ${LARGEST_PAGE}; default ${USUAL_PAGE}.` }),
  before: cursor.optional().meta({ description: '`next` of the page before.' }),
}

export function appraisalRoutes(verifier: Verifier): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/appraisals',
      summary: 'Attestations that were decided, the newest first, a page at a time',
      role: 'viewer',
      query: listQuery,
      response: appraisalListResponse,
      problems: ['tenant-unknown', 'storage-unavailable'],
      answer: (asked) => list(verifier, asked),
    },
    {
      method: 'GET',
      path: '/v1/appraisals/{id}',
      parameters: { id: appraisalName },
      summary:
        'Why an attestation ended as it did, by the id of its appraisal or of its request. Its own agent is told its verdict',
      role: 'viewer',
      takesAgents: true,
      headers: [
        {
          name: 'DPoP',
          required: false,
          description:
            'Where an agent asks: its proof of possession (RFC 9449), over this address.',
        },
      ],
      response: z.union([explainedResponse, ownVerdictResponse]),
      problems: [
        'appraisal-unknown',
        'possession-required',
        'possession-token-refused',
        'possession-proof-refused',
        'storage-unavailable',
      ],
      answer: (asked) => one(verifier, asked),
    },
  ]
}

async function list(verifier: Verifier, { query }: Asked): Promise<Response> {
  const { tenant = 'default', since, limit, before } = query
  if (!verifier.tenants.has(tenant))
    throw new Problem('tenant-unknown', `there is no tenant ${tenant}`)
  const page = {
    since: new Date(since ?? 0),
    limit: limit === undefined ? USUAL_PAGE : Number(limit),
    before: placeOf(before),
  }
  const { records, unreadable, next } = await verifier.store.appraisalsOf(tenant, page)
  return json({
    appraisals: records.map(toldJson),
    unreadable: unreadable.map(({ at, id }) => ({ id, at: at.toISOString() })),
    next: next ? `${next.at.toISOString()}~${next.id}` : null,
  } satisfies z.input<typeof appraisalListResponse>)
}

function placeOf(text: string | undefined): AppraisalPage['before'] {
  const [at, id] = text?.split('~') ?? []
  return at !== undefined && id !== undefined ? { at: new Date(at), id } : undefined
}

async function one(verifier: Verifier, asked: Asked): Promise<Response> {
  const { operator, parameters } = asked
  const { id = '' } = parameters
  if (!operator) return json(ownVerdictJson(await ownVerdict(verifier, asked, id)))
  const explained = await explainAppraisal(verifier, id)
  const { evidence } = explained.record
  const sha256 = evidence && createHash('sha256').update(evidence.quote).digest('hex')
  return json(explainedJson(explained, sha256 ?? null))
}

/**
 * An agent is told about whatever was decided of evidence that its own key was bound to, in its own tenant: refusals too,
 * which gave it no token. Who asks about another's hears the same as about none.
 */
async function ownVerdict(
  verifier: Verifier,
  { request, call }: Asked,
  id: string,
): Promise<ExplainedAppraisal> {
  const { record: token } = await provePossession(
    verifier,
    {
      token: /^dpop +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1],
      proof: request.headers.get('dpop') ?? undefined,
      method: request.method,
      url: request.url,
      audiences: 'any',
    },
    call,
  )
  const explained = await explainAppraisal(verifier, id)
  const { tenant, runtimeClaims } = explained.record
  if (tenant === token.tenant && runtimeClaims.sig_jkt === token.jkt) return explained
  throw new Problem('appraisal-unknown', 'no appraisal that is kept has this id or request id')
}
