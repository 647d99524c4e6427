/** The route by which an operator ends tokens before their time. */
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { MOST_NAMED, revokeSelection } from '../service/revoke.ts'
import type { TokenSelection } from '../service/token-ports.ts'
import type { Verifier } from '../service/verifier.ts'
import { readBody } from './request-body.ts'
import { appraisalId, tenantName } from './request-schemas.ts'
import { type Asked, json, type Route } from './route.ts'

const id = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be an id as the attestation’s answer has it')
const subjects = ['token', 'appraisal', 'key', 'agent'] as const

const revocationRequest = z
  .strictObject({
    tenant: tenantName.default('default'),
    token: id.exactOptional().meta({ description: 'The jti of one token.' }),
    appraisal: appraisalId
      .exactOptional()
      .meta({ description: 'Every token that this attestation was answered with.' }),
    key: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/, 'must be an RFC 7638 SHA-256 thumbprint in base64url')
      .exactOptional()
      .meta({
        description:
          'Every token of the agent that has this key, by its RFC 7638 thumbprint: the cnf.jkt of tokens, or that of the tee-pubkey of POST /attestation and of the Key Broker face.',
      }),
    agent: z
      .strictObject({ environment: tenantName, agent: tenantName })
      .exactOptional()
      .meta({ description: 'Every token that was issued to this agent in this environment.' }),
    detail: z
      .string()
      .min(1)
      .max(300)
      .regex(/^[^\p{Cc}]+$/u, 'must be one line')
      .default('revoked by an operator')
      .meta({ description: 'One sentence for whoever asks why.' }),
  })
  .refine((body) => subjects.filter((name) => body[name] !== undefined).length === 1, {
    message: `must name exactly one of ${subjects.join(', ')}`,
  })

const revocationResponse = z.strictObject({
  revoked: z.int().meta({ description: 'How many were live, and are revoked now.' }),
  tokens: z
    .array(z.string())
    .max(MOST_NAMED)
    .meta({ description: `Their jtis, the first ${MOST_NAMED}.` }),
  next: z.string(),
})

type RevocationBody = z.output<typeof revocationRequest>

export function revocationRoutes(verifier: Verifier): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/revocations',
      summary: 'Ends live tokens: one, those of an attestation, of a key or of an agent',
      role: 'operator',
      request: revocationRequest,
      largestBody: 8 * 1024,
      response: revocationResponse,
      problems: ['tenant-unknown', 'too-many-requests', 'storage-unavailable'],
      answer: async (asked) => await revocation(verifier, asked),
    },
  ]
}

/** Throws Problem. The same request again finds nothing more, and answers 0. */
async function revocation(
  verifier: Verifier,
  { request, call: { at }, operator }: Asked,
): Promise<Response> {
  const { value } = await readBody(request, revocationRequest)
  const { tenant, detail } = value
  // There because the route needs a role.
  if (!operator) throw new Error('nobody is asking')
  if (!verifier.tenants.has(tenant))
    throw new Problem('tenant-unknown', `there is no tenant ${tenant}`)
  const { count, jtis } = await revokeSelection(
    verifier,
    { tenant, selection: selectionOf(value), reason: 'operator', detail, by: operator.name },
    at,
  )
  return json({ revoked: count, tokens: jtis, next: nextOf(value) })
}

function selectionOf({ token, appraisal, key, agent }: RevocationBody): TokenSelection {
  return {
    ...(token !== undefined && { jti: token }),
    ...(appraisal !== undefined && { appraisal }),
    ...(key !== undefined && { jkt: key }),
    ...agent,
  }
}

/** A revocation ends what was issued and forbids nothing: only the policy does. */
function nextOf({ key, agent }: RevocationBody): string {
  const begun =
    'Whoever passes the policy is issued new tokens all the same. To stop that, commit to the policy repository: '
  if (key !== undefined)
    return `${begun}an entry {value: ${key}, reason: ...} under spec.agentKeys of a file in revoked/.`
  if (agent)
    return `${begun}the deletion of agents/${agent.environment}/${agent.agent}.yaml, or the digests of what it may not run under spec.digests of a file in revoked/.`
  return `${begun}the agent’s key under spec.agentKeys, its machine under spec.platforms or what it runs under spec.digests of a file in revoked/.`
}
