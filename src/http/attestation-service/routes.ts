/**
 * The Attestation Service's REST face, for a stock Key Broker that has evidence judged here: POST /attestation and
 * /challenge, where a tenant switched it on. It needs the bearer token of an operator with the role enforcer: nothing is
 * trusted by where it comes from. Keys are those of /.well-known/jwks.json.
 */
import { z } from 'zod'
import { fromBase64Url } from '../../bytes/encoding.ts'
import { Problem } from '../../problems.ts'
import { brokerHashes, type StringTree } from '../../rats/broker-binding.ts'
import { appraiseAsService, type ServiceQuestion } from '../../service/attestation-service.ts'
import type { Tenant, Verifier } from '../../service/verifier.ts'
import type { ExactJson } from '../../tee/sev-snp/json-rows.ts'
import { parseExactJson } from '../exact-json.ts'
import { pathOf } from '../kbs/routes.ts'
import { readBody } from '../request-body.ts'
import type { Asked, Route } from '../route.ts'

const LARGEST_EVIDENCE = 400 * 1024

const base64Url = (most: number) =>
  z
    .string()
    .max(Math.ceil((most * 4) / 3))
    .transform((text, context) => {
      const bytes = fromBase64Url(text)
      if (bytes) return bytes
      context.addIssue({ code: 'custom', message: 'must be base64url without padding' })
      return z.NEVER
    })

const text = z
  .string()
  .max(64 * 1024)
  .refine((value) => value.isWellFormed(), 'must be text')
const tree: z.ZodType<StringTree> = z.record(
  text,
  z.union([text, z.lazy(() => tree)], 'must be text or an object of texts: nothing else is bound'),
)

/** Short, so that it may stand in a token and a record as it is. */
const NONCE = /^[\x21-\x7e]{1,128}$/

/** The hash of nothing is the same for everybody and for ever, so that evidence over it may be years old and another's. */
function mistakeIn(
  data: { readonly raw: Uint8Array } | { readonly structured: StringTree },
): string | undefined {
  const size = 'raw' in data ? data.raw.length : Object.keys(data.structured).length
  if (size === 0)
    return 'is empty: evidence that is bound to nothing proves nothing about now, nor about who sent it'
  if ('raw' in data) return undefined
  const { nonce, 'additional-evidence': devices = '' } = data.structured
  if (nonce !== undefined && !(typeof nonce === 'string' && NONCE.test(nonce)))
    return 'structured.nonce must be 1 to 128 printable characters'
  return devices === ''
    ? undefined
    : 'structured.additional-evidence must be empty: evidence of further devices is not judged here, and a token would seem to say that it was'
}

const attestationRequest = z.strictObject({
  verification_requests: z
    .array(
      z.strictObject({
        tee: z.string().max(32),
        evidence: base64Url(LARGEST_EVIDENCE).meta({ description: 'base64url of the JSON.' }),
        runtime_data: z
          .union(
            [z.strictObject({ raw: base64Url(64 * 1024) }), z.strictObject({ structured: tree })],
            'must be {"raw"} or {"structured"}: evidence that is bound to nothing proves nothing about now',
          )
          .superRefine((data, context) => {
            const mistake = mistakeIn(data)
            if (mistake !== undefined) context.addIssue({ code: 'custom', message: mistake })
          }),
        runtime_data_hash_algorithm: z.enum(brokerHashes).default('sha384'),
        init_data: z
          .union([
            z.strictObject({ init_data_digest: base64Url(64) }),
            z.strictObject({ init_data_toml: text }),
          ])
          .nullish(),
      }),
    )
    .length(1, 'must be one: evidence of further devices is not judged here'),
  policy_ids: z
    .array(z.literal('default', 'must be "default": the policy is that of the repository'))
    .max(1),
})

const challengeRequest = z.looseObject({ tee: z.string().max(32), tee_params: z.unknown() })

export function attestationServiceRoutes(verifier: Verifier): readonly Route[] {
  return [...verifier.tenants.values()].flatMap((tenant) =>
    tenant.broker?.attestationService ? tenantRoutes(verifier, tenant) : [],
  )
}

function tenantRoutes(verifier: Verifier, tenant: Tenant): readonly Route[] {
  const root = pathOf(verifier, tenant)
  return [
    {
      method: 'POST',
      path: `${root}/attestation`,
      summary: 'Attestation Service: evidence that another service collected, in; a token, out',
      role: 'enforcer',
      request: attestationRequest,
      response: z.string(),
      responseType: 'text/plain',
      problems: [
        'broker-handshake-refused',
        'evidence-unrecognised',
        'evidence-rejected',
        'policy-unavailable',
        'policy-stale',
        'collateral-unavailable',
        'storage-unavailable',
      ],
      answer: (asked) => attestation(verifier, tenant, asked),
    },
    {
      method: 'POST',
      path: `${root}/challenge`,
      summary: 'Attestation Service: 32 random bytes, which whoever asked must remember himself',
      role: 'enforcer',
      request: challengeRequest,
      response: z.string(),
      responseType: 'text/plain',
      problems: [],
      answer: async ({ request }) => {
        await readBody(request, challengeRequest)
        return plainText(Buffer.from(verifier.random.bytes(32)).toString('base64'))
      },
    },
  ]
}

async function attestation(
  verifier: Verifier,
  tenant: Tenant,
  { request, call, forTenant }: Asked,
): Promise<Response> {
  const { value } = await readBody(request, attestationRequest)
  await forTenant(tenant.name)
  const [asked] = value.verification_requests
  if (!asked) throw new Error('the schema let no request pass for one')
  const { tee, evidence, runtime_data, init_data, runtime_data_hash_algorithm: hash } = asked
  const answer = await appraiseAsService(
    verifier,
    {
      tenant,
      tee,
      evidence: jsonOf(evidence),
      runtimeData:
        'raw' in runtime_data
          ? { kind: 'raw', bytes: runtime_data.raw }
          : { kind: 'structured', tree: runtime_data.structured },
      hash,
      initData: init_data ? initDataOf(init_data) : undefined,
    },
    call,
  )
  if (answer.verdict === 'issued') return plainText(answer.token)
  const { sentence, stage, failing } = answer.refusal
  throw new Problem('evidence-rejected', sentence, { members: { stage, failing, id: answer.id } })
}

function initDataOf(
  given: { readonly init_data_digest: Uint8Array } | { readonly init_data_toml: string },
): NonNullable<ServiceQuestion['initData']> {
  return 'init_data_toml' in given
    ? { format: 'toml', body: given.init_data_toml }
    : { format: 'digest', digest: given.init_data_digest }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function jsonOf(bytes: Uint8Array): ExactJson {
  try {
    return parseExactJson(utf8.decode(bytes))
  } catch {
    throw new Problem('request-malformed', 'evidence: is not the base64url of JSON in UTF-8')
  }
}

function plainText(text: string): Response {
  return new Response(text, { headers: { 'content-type': 'text/plain; charset=utf-8' } })
}
