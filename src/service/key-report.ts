/** What operators are told about keys, by the service and by the command line alike, as it stands on the wire. */
import { z } from 'zod'
import type { KeyChange, RevokedKey } from './key-rotation.ts'
import type { ListedKey } from './list-keys.ts'

const instant = z.iso.datetime()
const change = { purpose: z.string(), kid: z.string(), activeFrom: instant }

export const keysResponse = z.object({
  keys: z.array(
    z.object({
      ...change,
      algorithm: z.string(),
      state: z.enum(['next', 'active', 'retired', 'over', 'revoked']).meta({
        description:
          'next: published, and signs from activeFrom on. active: signs. retired: still published. over: published until it is forgotten, which waits for a clock that has been steady. revoked: no more.',
      }),
      createdAt: instant,
      retiresAt: instant.nullable().meta({ description: 'When its successor takes over.' }),
      revokedAt: instant.nullable(),
      sealedUnder: z
        .string()
        .nullable()
        .meta({ description: 'Id of the key-encryption key that it is stored under.' }),
    }),
  ),
})

export const rotatedResponse = z.object({
  successors: z
    .array(z.object(change))
    .meta({ description: 'Of each purpose the key that signs next, made now or before.' }),
  next: z.string(),
})

export const revokedResponse = z.object({
  purpose: z.string(),
  kid: z.string(),
  revokedAt: instant,
  replacement: z
    .strictObject(change)
    .nullable()
    .meta({ description: 'What signs now; null where the revoked key did not sign.' }),
  next: z.string(),
})

export type KeysReport = z.output<typeof keysResponse>
export type RotatedReport = z.output<typeof rotatedResponse>
export type RevokedReport = z.output<typeof revokedResponse>

export function keysJson(keys: readonly ListedKey[]): KeysReport {
  return {
    keys: keys.map(({ kid, purpose, algorithm, state, ...key }) => ({
      kid,
      purpose,
      algorithm,
      state,
      createdAt: key.createdAt.toISOString(),
      activeFrom: key.activeFrom.toISOString(),
      retiresAt: key.retiresAt?.toISOString() ?? null,
      revokedAt: key.revokedAt?.toISOString() ?? null,
      sealedUnder: key.sealedUnder ?? null,
    })),
  }
}

export function rotatedJson(successors: readonly KeyChange[]): RotatedReport {
  return {
    successors: successors.map(changeJson),
    next: 'Nothing: relying parties find the new keys before they sign. What they replace is published for 24 hours more.',
  }
}

export function revokedJson({ purpose, kid, revokedAt, replacement }: RevokedKey): RevokedReport {
  return {
    purpose,
    kid,
    revokedAt: revokedAt.toISOString(),
    replacement: replacement ? changeJson(replacement) : null,
    next: 'Relying parties that keep what they fetched go by it for up to 300 s more, and some until they are restarted: have those fetch the keys again. Agents get new tokens by attesting again.',
  }
}

function changeJson({ purpose, kid, activeFrom }: KeyChange) {
  return { purpose, kid, activeFrom: activeFrom.toISOString() }
}
