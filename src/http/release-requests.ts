/** The requests for releases, renewals and operations, and their answers, as they stand on the wire. */
import { z } from 'zod'
import { fromBase64Url } from '../bytes/encoding.ts'
import type { Lease } from '../release/lease.ts'
import { LARGEST_INPUT } from '../service/operate.ts'
import type { Released } from '../service/release-resource.ts'
import type { Renewed } from '../service/renew-release.ts'
import { publicKey } from './request-schemas.ts'
import { resourceName } from './resource-requests.ts'

const encJwk = publicKey.meta({
  description:
    'The attested encryption key: its thumbprint is enc_jkt of the token. The answer is sealed to it.',
})

const versionNumber = z
  .int()
  .min(1)
  .max(2 ** 31 - 1)
const versions = {
  version: versionNumber
    .exactOptional()
    .meta({ description: 'Exactly this one; absent: the newest that is not revoked.' }),
  minimumVersion: versionNumber
    .exactOptional()
    .meta({ description: 'An older one is refused, whatever else is there.' }),
}

export const releaseRequest = z.strictObject({ resource: resourceName, ...versions, encJwk })

export const operationRequest = z.strictObject({
  resource: resourceName,
  ...versions,
  operation: z.enum(['decrypt', 'sign']).meta({
    description:
      'decrypt: AES-256-GCM, the input is iv (12 bytes) || tag (16 bytes) || ciphertext. sign: Ed25519, ES256 or RS256 over the input, as the key is, in the form of JOSE.',
  }),
  input: z
    .string()
    .max(Math.ceil((LARGEST_INPUT * 4) / 3))
    .transform((text, context) => {
      const bytes = fromBase64Url(text)
      if (bytes && bytes.length <= LARGEST_INPUT) return bytes
      context.addIssue(`is not unpadded base64url of at most ${LARGEST_INPUT} bytes`)
      return z.NEVER
    })
    .meta({ contentEncoding: 'base64url' }),
  encJwk,
})

/** Without members: what is renewed stands in the path, and who asks in the headers. */
export const renewalRequest = z.strictObject({})

/** As answers have it: the database knows no other spelling. */
export const releaseId = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be the id of a release')

const instant = z.iso.datetime()
const lease = z.strictObject({
  expiresAt: instant.meta({ description: 'After this it may not be used, unless renewed.' }),
  renewBy: instant.meta({ description: 'When to renew: a third of the lease is left then.' }),
})

export const releaseResponse = z.strictObject({
  release: z.uuid(),
  resource: z.string(),
  version: z.int(),
  use: z.enum(['release', 'decrypt', 'sign']),
  envelope: z.string().meta({
    description:
      'A compact JWS, typ vouchsafe-release+jwt, by a key of the issuer whose use is vouchsafe-release. Its hpke holds what was sealed: docs/releases.md says how to open it.',
  }),
  lease: lease.exactOptional().meta({
    description: 'Operations have none. Agents go by the lease that stands in the envelope.',
  }),
  logLeaf: z.string().meta({ description: 'Hex: the leaf of the transparency log.' }),
})

export const renewalResponse = z.strictObject({
  release: z.uuid(),
  lease,
  statement: z.string().meta({
    description:
      'A compact JWS, typ vouchsafe-lease+jwt, by a key of the issuer whose use is vouchsafe-release: what the agent goes by.',
  }),
})

export function releaseJson({ lease: held, ...released }: Released) {
  return {
    ...released,
    ...(held && { lease: leaseJson(held) }),
  } satisfies z.input<typeof releaseResponse>
}

export function renewalJson({ release, lease: held, statement }: Renewed) {
  return { release, lease: leaseJson(held), statement } satisfies z.input<typeof renewalResponse>
}

function leaseJson({ expiresAt, renewBy }: Lease) {
  return { expiresAt: expiresAt.toISOString(), renewBy: renewBy.toISOString() }
}
