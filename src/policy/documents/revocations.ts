/** `revoked/*.yaml`: what is no longer trusted, whatever else a manifest says. One person may add to it; taking away needs several. */
import { z } from 'zod'
import { apiVersion, generation, instant, line, unique } from './document-fields.ts'
import { readDocument } from './policy-document.ts'
import type { Mistake } from './yaml-document.ts'

/** Each entry's value to the reason that was given. Values in lower-case hex, thumbprints and fingerprints as they are. */
export interface Revocations {
  /** Digests of code, configuration, signers, artifacts, models or manifests, without their prefix. */
  readonly digests: ReadonlyMap<string, string>
  /** Chips and platforms, as EvidenceIdentity.platforms names them. */
  readonly platforms: ReadonlyMap<string, string>
  /** RFC 7638 thumbprints of agents' keys. */
  readonly agentKeys: ReadonlyMap<string, string>
  /** Fingerprints of policy signers' keys: `SHA256:<base64>`, or upper-case hex for OpenPGP. */
  readonly signerKeys: ReadonlyMap<string, string>
}

export type RevocationsReading =
  | { readonly revocations: Revocations }
  | { readonly mistakes: readonly Mistake[] }

/** One file. */
export function readRevocations(bytes: Uint8Array): RevocationsReading {
  const reading = readDocument(bytes, revocationsSchema)
  if ('mistakes' in reading) return reading
  const { digests, platforms, agentKeys, signerKeys } = reading.value.spec
  return {
    revocations: {
      digests: reasons(digests),
      platforms: reasons(platforms),
      agentKeys: reasons(agentKeys),
      signerKeys: reasons(signerKeys),
    },
  }
}

/** Of all files together. What two of them list keeps the reason of the first. */
export function mergedRevocations(all: readonly Revocations[]): Revocations {
  const merged = (list: keyof Revocations): ReadonlyMap<string, string> =>
    new Map(all.toReversed().flatMap((revocations) => [...revocations[list]]))
  return {
    digests: merged('digests'),
    platforms: merged('platforms'),
    agentKeys: merged('agentKeys'),
    signerKeys: merged('signerKeys'),
  }
}

interface Entry {
  readonly value: string
  readonly reason: string
}

function reasons(entries: readonly Entry[]): ReadonlyMap<string, string> {
  return new Map(entries.map(({ value, reason }) => [value, reason]))
}

/** The same bytes in two spellings would be two entries, of which one could leave unnoticed: what is kept has no prefix. */
const bytesOf = (text: string) => text.slice(text.indexOf(':') + 1)

const digest = z
  .string('must be text: sha384: followed by 96 hex digits, or sha256: or hex:')
  .regex(
    /^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}|hex:([0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}))$/,
    'must be sha256:, sha384:, sha512: or hex: and 64, 96 or 128 lower-case hex digits',
  )
  .transform(bytesOf)
  .describe(
    'A measurement, configuration, signer, artifact, model or manifest, as in sha384:<96 hex digits>.',
  )

const platform = z
  .string('must be text: hex: followed by hex digits')
  .regex(
    /^(sha256:[0-9a-f]{64}|hex:([0-9a-f]{32}|[0-9a-f]{64}|[0-9a-f]{128}))$/,
    'must be hex: and 32 (PPID, platform instance id) or 128 (chip id) lower-case hex digits, or sha256: and the digest of its certificate',
  )
  .refine((text) => /[1-9a-f]/.test(bytesOf(text)), 'is zero, which names no machine')
  .transform(bytesOf)
  .describe('A chip id, PPID or platform instance id (hex:), or its certificate (sha256:).')

const thumbprint = z
  .string()
  .regex(
    /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/,
    'must be an RFC 7638 SHA-256 thumbprint: 43 characters of base64url',
  )
  .describe("RFC 7638 thumbprint of an agent's key, as sig_jkt or enc_jkt names it.")

const fingerprint = z
  .string()
  .regex(
    /^(SHA256:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]|[0-9A-F]{40})$/,
    'must be SHA256: and 43 characters of base64, as ssh-keygen -l prints it, or the 40 upper-case hex digits of an OpenPGP key',
  )
  .describe(
    "Fingerprint of a policy signer's key, as ssh-keygen -l prints it, or of an OpenPGP key in upper-case hex.",
  )

/** A file holds at most 64 KiB and so not many more than 1,000 entries; whoever has more writes several files. */
const MOST_ENTRIES = 4096

function list<T extends z.ZodType<string>>(value: T) {
  const entry = z.strictObject({
    value,
    reason: line(200).describe('Shown wherever this entry refuses something.'),
    at: instant.describe('When it was revoked, for people.').exactOptional(),
  })
  return unique(z.array(entry).max(MOST_ENTRIES), 'value').default([])
}

export const revocationsSchema = z
  .strictObject({
    apiVersion,
    kind: z.literal('Revocations'),
    metadata: z.strictObject({ generation }),
    spec: z.strictObject({
      digests: list(digest).describe(
        'Code, configurations, signers, artifacts, models and manifests that may not run.',
      ),
      platforms: list(platform).describe('Machines on which nothing may run.'),
      agentKeys: list(thumbprint).describe('Keys of agents to which nothing is issued.'),
      signerKeys: list(fingerprint).describe(
        'From the commit after this one on, nothing that such a key signed is accepted.',
      ),
    }),
  })
  .meta({
    title: 'Revocations',
    description:
      'revoked/<name>.yaml: what is no longer trusted. To add is a single commit; to take away needs approvals.',
  })
