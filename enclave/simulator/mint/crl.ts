/** Certificate revocation lists of any shape: RFC 5280 section 5.1, written as AMD KDS and Intel PCS write theirs. */
import { type ExtensionFields, extensionOf } from './certificate.ts'
import { bits, enumerated, integer, sequence, tagged, time } from './der.ts'
import type { SigningKey, SigningScheme } from './signing.ts'

interface RevokedFields {
  readonly serial: bigint
  readonly at: Date
  /** RFC 5280 section 5.3.1; 1 keyCompromise. */
  readonly reason?: number
}

export interface CrlFields {
  /** 1 for a v2 list; undefined writes a v1 list, which has no version field. */
  readonly version: number | undefined
  readonly issuer: Uint8Array
  readonly thisUpdate: Date
  /** Undefined leaves the field out. */
  readonly nextUpdate: Date | undefined
  readonly revoked: readonly RevokedFields[]
  readonly extensions: readonly ExtensionFields[]
  readonly scheme: SigningScheme
  readonly signedBy: SigningKey
}

/** DER. */
export function mintCrl(fields: CrlFields): Uint8Array {
  const { version, nextUpdate, revoked, extensions, scheme } = fields
  const tbs = sequence(
    ...(version === undefined ? [] : [integer(version)]),
    scheme.identifier,
    fields.issuer,
    time(fields.thisUpdate),
    ...(nextUpdate ? [time(nextUpdate)] : []),
    ...(revoked.length > 0 ? [sequence(...revoked.map(entryOf))] : []),
    ...(extensions.length > 0 ? [tagged(0, sequence(...extensions.map(extensionOf)))] : []),
  )
  return sequence(tbs, scheme.identifier, bits(fields.signedBy.sign(tbs, scheme)))
}

export function crlNumber(number: number): ExtensionFields {
  return { oid: '2.5.29.20', critical: false, value: integer(number) }
}

function entryOf({ serial, at, reason }: RevokedFields): Uint8Array {
  const extensions = reason === undefined ? [] : [sequence(extensionOf(reasonCode(reason)))]
  return sequence(integer(serial), time(at), ...extensions)
}

function reasonCode(reason: number): ExtensionFields {
  return { oid: '2.5.29.21', critical: false, value: enumerated(reason) }
}
