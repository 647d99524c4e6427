/**
 * How manifests spell bytes: `sha384:<hex>`, `sha256:<hex>` or `hex:<hex>`, always a string and always in lower case. YAML
 * reads a bare digest as a number when it can (`00e12345`), and one value with two spellings has two policy diffs.
 */
import { z } from 'zod'
import { fromHex } from '../../bytes/encoding.ts'

const digestPrefixes: Readonly<Record<number, string>> = { 32: 'sha256', 48: 'sha384' }

/** A digest of `size` bytes, named by its algorithm: what was measured, never an arbitrary value. */
export function digest(size: 32 | 48) {
  return spelled(size, [`${digestPrefixes[size]}`])
}

/** `sha256:<hex>`, kept as it is written: what is compared as text with what others write. */
export const sha256Text = z
  .string('must be text: sha256: followed by 64 hex digits')
  .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: followed by 64 lower-case hex digits')

/** `size` bytes that somebody chose; where a digest has that length, its algorithm may be named. */
export function bytes(size: number) {
  const algorithm = digestPrefixes[size]
  return spelled(size, algorithm ? ['hex', algorithm] : ['hex'])
}

/** Hex text without prefix, lower case, for values that a vendor prints so. */
export function bareHex(size: number) {
  return z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${size * 2}}$`), `must be ${size} bytes in lower-case hex`)
}

/** `observed & mask` must equal `value`; a value outside its mask could never match anything. */
export function maskedBytes(size: number) {
  return z
    .strictObject({ mask: bytes(size), value: bytes(size) })
    .refine(
      ({ mask, value }) => value.every((octet, at) => (octet & ~(mask[at] ?? 0)) === 0),
      'value has bits that its mask leaves out, so nothing could match it',
    )
}

function spelled(size: number, prefixes: readonly string[]) {
  const pattern = new RegExp(`^(${prefixes.join('|')}):[0-9a-f]{${size * 2}}$`)
  const form = `${prefixes.join(': or ')}:`
  return z
    .string(`must be text: ${form} followed by ${size * 2} hex digits`)
    .regex(pattern, `must be ${form} followed by ${size * 2} lower-case hex digits`)
    .transform((text, context) => {
      const value = fromHex(text.slice(text.indexOf(':') + 1))
      if (value) return value
      context.addIssue(`is not ${size} bytes in hex`)
      return z.NEVER
    })
}
