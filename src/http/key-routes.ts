/** The routes for operators about the service's own keys: which there are, and what ends one before its time. */
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { reloadAll } from '../service/key-chores.ts'
import {
  keysJson,
  keysResponse,
  revokedJson,
  revokedResponse,
  rotatedJson,
  rotatedResponse,
} from '../service/key-report.ts'
import { isRotated, revokeKey, rotateKeys } from '../service/key-rotation.ts'
import { listKeys } from '../service/list-keys.ts'
import type { Verifier } from '../service/verifier.ts'
import { readBody } from './request-body.ts'
import { type Asked, json, type Route } from './route.ts'

const MOST_PURPOSES = 1_000
const LARGEST_BODY = 64 * 1024

const rotationRequest = z.strictObject({
  purposes: z
    .array(z.string().min(1).max(600))
    .min(1)
    .max(MOST_PURPOSES)
    .exactOptional()
    .meta({ description: 'As GET /v1/keys names them; every one of them where this is absent.' }),
})

const keyRevocationRequest = z.strictObject({
  kid: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be the kid of a key'),
})

export function keyRoutes(verifier: Verifier): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/keys',
      summary: 'The service’s own keys: what signs, what will, and what did',
      role: 'operator',
      response: keysResponse,
      problems: ['storage-unavailable'],
      answer: async ({ call: { at } }) => json(keysJson(await listKeys(verifier.store, at))),
    },
    {
      method: 'POST',
      path: '/v1/keys/rotate',
      summary: 'Makes a successor for every key, or for those of some purposes, that has none yet',
      role: 'operator',
      request: rotationRequest,
      largestBody: LARGEST_BODY,
      response: rotatedResponse,
      problems: ['key-unknown', 'too-many-requests', 'storage-unavailable'],
      answer: async (asked) => await rotation(verifier, asked),
    },
    {
      method: 'POST',
      path: '/v1/keys/revoke',
      summary: 'Ends a key at once: what it signed is worth nothing any more',
      role: 'operator',
      request: keyRevocationRequest,
      largestBody: LARGEST_BODY,
      response: revokedResponse,
      problems: ['key-unknown', 'too-many-requests', 'storage-unavailable'],
      answer: async (asked) => await revocation(verifier, asked),
    },
  ]
}

/** Throws Problem. The same request again makes nothing more, and answers the same. */
async function rotation(verifier: Verifier, { request, operator }: Asked): Promise<Response> {
  const { value } = await readBody(request, rotationRequest)
  const known = verifier.keyRings.map(({ purpose }) => purpose).filter(isRotated)
  const stray = value.purposes?.find((name) => !known.some((purpose) => purpose === name))
  if (stray !== undefined) throw new Problem('key-unknown', `there are no keys for ${stray} here`)
  const purposes = value.purposes
    ? known.filter((purpose) => value.purposes?.includes(purpose))
    : known
  const successors = await rotateKeys(verifier, { purposes, by: nameOf(operator) })
  await reloadAll(verifier.keyRings)
  return json(rotatedJson(successors))
}

async function revocation(verifier: Verifier, { request, operator }: Asked): Promise<Response> {
  const { value } = await readBody(request, keyRevocationRequest)
  const revoked = await revokeKey(verifier, { kid: value.kid, by: nameOf(operator) })
  await reloadAll(verifier.keyRings)
  return json(revokedJson(revoked))
}

/** There because the route needs a role. */
function nameOf(operator: Asked['operator']): string {
  if (!operator) throw new Error('nobody is asking')
  return operator.name
}
