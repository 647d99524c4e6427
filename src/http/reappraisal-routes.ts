/** The route by which an operator has stored evidence judged again, and follows how that goes. */
import { z } from 'zod'
import { Problem, problemTypes } from '../problems.ts'
import { reappraiseTenants } from '../service/reappraise-tenants.ts'
import type { Tenant, Verifier } from '../service/verifier.ts'
import { problemOf } from './problem-response.ts'
import { readBody } from './request-body.ts'
import { instant, tenantName } from './request-schemas.ts'
import type { Asked, Route } from './route.ts'

const reappraisalRequest = z.strictObject({
  tenant: tenantName.exactOptional().meta({ description: 'Default: every tenant.' }),
  since: instant.exactOptional().meta({
    description: 'Everything that was let pass since then. Default: only what live tokens rest on.',
  }),
  dryRun: z
    .boolean()
    .default(false)
    .meta({ description: 'Tell what would fall, and revoke nothing.' }),
})

const counts = {
  examined: z.int(),
  unexaminable: z.int(),
  fallen: z.int(),
  revoked: z.int().meta({ description: 'Tokens.' }),
}
const tenant = z.string()

/** Each line of the answer is one of these; the last is `report`, or `failed`. */
const reappraisalLine = z.union([
  z.strictObject({ type: z.literal('tenant'), tenant, commit: z.string() }),
  z.strictObject({
    type: z.literal('progress'),
    tenant,
    share: z.number().nullable().meta({ description: 'Of the way, 0 to 1.' }),
    ...counts,
  }),
  z.strictObject({
    type: z.literal('fallen'),
    tenant,
    appraisal: z.string(),
    environment: z.string(),
    agent: z.string(),
    reason: z.enum(['policy', 'collateral']),
    failing: z.array(z.string()).meta({ description: 'Ids of the checks.' }),
    live: z.int().meta({ description: 'How many tokens rest on it.' }),
  }),
  z.strictObject({ type: z.literal('skipped'), tenant, why: z.string() }),
  z.strictObject({
    type: z.literal('failed'),
    code: z.string(),
    detail: z.string(),
    next: z.string(),
  }),
  z.strictObject({
    type: z.literal('report'),
    dryRun: z.boolean(),
    skipped: z.int().meta({ description: 'Tenants without a policy.' }),
    ...counts,
  }),
])

export function reappraisalRoutes(verifier: Verifier): readonly Route[] {
  const running = new Set<string>()
  return [
    {
      method: 'POST',
      path: '/v1/reappraisals',
      summary: 'Judges stored evidence again, and revokes the tokens of what would not pass now',
      role: 'operator',
      request: reappraisalRequest,
      largestBody: 8 * 1024,
      response: reappraisalLine,
      responseType: 'application/x-ndjson',
      problems: ['tenant-unknown', 'too-many-requests', 'storage-unavailable'],
      answer: async (asked) => await reappraisal(verifier, asked, running),
    },
  ]
}

/** Throws Problem; what goes wrong later is the last line. */
async function reappraisal(
  verifier: Verifier,
  { request, call: { at, requestId }, operator }: Asked,
  running: Set<string>,
): Promise<Response> {
  const { value } = await readBody(request, reappraisalRequest)
  // There because the route needs a role.
  if (!operator) throw new Error('nobody is asking')
  const tenants =
    value.tenant === undefined ? [...verifier.tenants.values()] : [named(verifier, value.tenant)]
  const [busy] = tenants.filter(({ name }) => running.has(name))
  if (busy)
    throw new Problem('too-many-requests', `the evidence of ${busy.name} is being judged already`, {
      retryAfterSeconds: 10,
    })
  for (const { name } of tenants) running.add(name)
  const lines = reappraiseTenants({
    verifier,
    tenants,
    scope: value.since ?? 'live',
    isDryRun: value.dryRun,
    by: operator.name,
    at,
  })
  const body = ndjson(lines, {
    failed(error) {
      const problem = problemOf(error)
      const { code, detail, cause } = problem
      verifier.journal.record({
        event: 'request.failed',
        at,
        requestId,
        fields: { code, detail },
        cause,
      })
      return { type: 'failed', code, detail, next: problemTypes[code].next }
    },
    ended() {
      for (const { name } of tenants) running.delete(name)
    },
  })
  return new Response(body, {
    headers: {
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      connection: 'close',
    },
  })
}

function named({ tenants }: Verifier, name: string): Tenant {
  const found = tenants.get(name)
  if (!found) throw new Problem('tenant-unknown', `there is no tenant ${name}`)
  return found
}

/** As fast as the reader reads; a reader that goes ends the work. */
function ndjson(
  lines: AsyncGenerator<unknown>,
  { failed, ended }: { readonly failed: (error: unknown) => unknown; readonly ended: () => void },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const lineOf = (value: unknown) => encoder.encode(`${JSON.stringify(value)}\n`)
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await lines.next()
          if (!done) return controller.enqueue(lineOf(value))
        } catch (error) {
          controller.enqueue(lineOf(failed(error)))
        }
        ended()
        controller.close()
      },
      async cancel() {
        ended()
        await lines.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
