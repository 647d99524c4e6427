/** Distinguished names as the vendors write them: one attribute per RDN, UTF8String, but for the country. */
import { oid, printable, sequence, set, utf8 } from './der.ts'

const ATTRIBUTES = {
  C: '2.5.4.6',
  CN: '2.5.4.3',
  L: '2.5.4.7',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  ST: '2.5.4.8',
} as const

type Attribute = readonly [keyof typeof ATTRIBUTES, string]

/** The Name in DER, attributes in the order given: byte equality of names is decided on it. */
export function name(...attributes: readonly Attribute[]): Uint8Array {
  return sequence(
    ...attributes.map(([type, value]) =>
      set(sequence(oid(ATTRIBUTES[type]), type === 'C' ? printable(value) : utf8(value))),
    ),
  )
}
