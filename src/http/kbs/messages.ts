/** What stock Key Broker clients send: the JSON of protocol 0.4.0 and of 0.2.0, judged member by member. */
import { z } from 'zod'
import { fromBase64Url } from '../../bytes/encoding.ts'
import { Problem } from '../../problems.ts'
import type { BrokerAnswer } from '../../service/broker-attest.ts'
import type { ExactJson } from '../../tee/sev-snp/json-rows.ts'
import { parseExactJson } from '../exact-json.ts'

/** Members that a newer client adds are passed over: nothing here rests on them. */
export const authRequest = z.looseObject({
  version: z.string().max(32),
  tee: z.string().max(32),
  'extra-params': z
    .union([
      z.looseObject({
        'supported-hash-algorithms': z.array(z.string().max(32)).max(32).optional(),
      }),
      z.unknown(),
    ])
    .optional(),
})

/** Undefined where the client says nothing about hash algorithms: older ones send an empty string. */
export function hashesIn({
  'extra-params': parameters,
}: z.output<typeof authRequest>): readonly string[] | undefined {
  const parsed = z
    .looseObject({ 'supported-hash-algorithms': z.array(z.string()) })
    .safeParse(parameters)
  return parsed.success ? parsed.data['supported-hash-algorithms'] : undefined
}

export const authResponse = z.strictObject({
  nonce: z.string(),
  'extra-params': z.union([
    z.literal(''),
    z.strictObject({ 'selected-hash-algorithm': z.string() }),
  ]),
})

export const attestResponse = z.strictObject({ token: z.string() })

export const resourceResponse = z.strictObject({
  protected: z.string(),
  encrypted_key: z.string(),
  iv: z.string(),
  ciphertext: z.string(),
  tag: z.string(),
})

/** Two spellings of one key would have two thumbprints. */
const coordinate = (...sizes: readonly number[]) =>
  z
    .string()
    .max(1024)
    .refine((text) => {
      const size = fromBase64Url(text)?.length
      return size !== undefined && (sizes.length === 0 || sizes.includes(size))
    }, 'must be base64url without padding, of the length that the curve has')

/** Exactly the members that the client's evidence is bound to. */
export const teePublicKey = z.union(
  [
    z.strictObject({
      kty: z.literal('EC'),
      crv: z.literal('P-256'),
      alg: z.literal('ECDH-ES+A256KW'),
      x: coordinate(32),
      y: coordinate(32),
    }),
    z.strictObject({
      kty: z.literal('EC'),
      crv: z.literal('P-521'),
      alg: z.literal('ECDH-ES+A256KW'),
      x: coordinate(66),
      y: coordinate(66),
    }),
    z.strictObject({
      kty: z.literal('RSA'),
      alg: z.literal('RSA-OAEP-256'),
      n: coordinate(),
      e: coordinate(),
    }),
  ],
  'must be a public key for ECDH-ES+A256KW (P-256, P-521) or RSA-OAEP-256; RSA1_5 and AKP keys are not taken',
)

const LARGEST_INIT_DATA = 64 * 1024

const composed = z.looseObject({
  'init-data': z
    .strictObject({
      format: z.literal('toml', 'must be toml'),
      body: z.string().max(LARGEST_INIT_DATA).refine(isWellFormed, 'must be text'),
    })
    .nullish(),
  'runtime-data': z.looseObject({ nonce: z.string().max(128), 'tee-pubkey': teePublicKey }),
  'tee-evidence': z.looseObject({
    primary_evidence: z.unknown(),
    additional_evidence: z.string(),
  }),
})

const plain = z.looseObject({ 'tee-pubkey': teePublicKey, 'tee-evidence': z.unknown() })

/** `json`: the body, exact. Throws Problem('request-malformed'). */
export function answerIn(json: ExactJson): BrokerAnswer {
  if (isObject(json) && 'runtime-data' in json) return composedAnswer(json)
  const read = judged(plain, json)
  return {
    form: 'plain',
    teePublicKey: read['tee-pubkey'],
    evidence: innerJson(member(json, 'tee-evidence')),
  }
}

function composedAnswer(json: ExactJson): BrokerAnswer {
  const read = judged(composed, json)
  const { nonce, 'tee-pubkey': key } = read['runtime-data']
  return {
    form: 'composed',
    nonce,
    teePublicKey: key,
    evidence: member(member(json, 'tee-evidence'), 'primary_evidence'),
    additionalEvidence: read['tee-evidence'].additional_evidence,
    initData: read['init-data'] ?? undefined,
  }
}

/** Before 0.2.0 evidence was JSON within a string, and some clients kept that. */
function innerJson(evidence: ExactJson): ExactJson {
  if (typeof evidence !== 'string') return evidence
  try {
    return parseExactJson(evidence)
  } catch {
    throw new Problem('request-malformed', 'tee-evidence: is text that holds no JSON')
  }
}

function judged<S extends z.ZodType>(schema: S, json: ExactJson): z.output<S> {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue?.path.map(String).join('.') || 'the body'
  throw new Problem('request-malformed', `${place}: ${issue?.message ?? 'another form'}`)
}

function member(json: ExactJson, name: string): ExactJson {
  return (isObject(json) && Object.hasOwn(json, name) ? json[name] : undefined) ?? null
}

function isObject(json: ExactJson): json is { readonly [name: string]: ExactJson } {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function isWellFormed(text: string): boolean {
  return text.isWellFormed()
}
