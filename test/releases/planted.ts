/**
 * Secrets that can be recognised wherever they turn up: all of a kind share a marker, at both ends, and a search for the marker
 * in every form that it could have been written in finds any of them.
 */
import { randomBytes } from 'node:crypto'

export interface Marker {
  readonly text: string
  /** 48 characters that may stand in a token, a file and an address: the marker, chance, and the marker. */
  readonly secret: () => string
  /** 32 bytes: the marker twice. */
  readonly key: () => Uint8Array
}

/** 16 characters, some of which change when they are escaped. */
export function marker(): Marker {
  const text = `p~+${randomBytes(20)
    .toString('base64')
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, 12)}~`.padEnd(16, 'x')
  return {
    text,
    secret: () => `${text}${randomBytes(8).toString('hex')}${text}`,
    key: () => new Uint8Array(Buffer.from(`${text}${text}`)),
  }
}

/** In which forms the text stands in these bytes; none: an empty list. */
export function formsIn(bytes: Uint8Array, text: string): readonly string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return formsOf(text).flatMap(([name, form]) => (buffer.includes(form) ? [name] : []))
}

type Form = readonly [name: string, form: string]

/** As it is, encoded, and encoded twice, as the base64 of a request is in the hex of a database's column. */
function formsOf(text: string): readonly Form[] {
  const once = encodings(text)
  const twice = once
    .filter(([name]) => name !== 'raw')
    .flatMap(([name, form]) =>
      encodings(form)
        .filter(([outer]) => outer !== 'raw')
        .map(([outer, whole]): Form => [`${name} in ${outer}`, whole]),
    )
  // Of two names for the same form, the simpler.
  const all = [...twice.toReversed(), ...once.toReversed()]
  return [...new Map(all.map(([name, form]) => [form, [name, form] as const])).values()]
}

function encodings(text: string): readonly Form[] {
  const hex = Buffer.from(text).toString('hex')
  return [
    ['raw', text],
    ['lower case', text.toLowerCase()],
    ['hex', hex],
    ['HEX', hex.toUpperCase()],
    ['URL', encodeURIComponent(text)],
    [
      'URL in lower case',
      encodeURIComponent(text).replaceAll(/%../g, (each) => each.toLowerCase()),
    ],
    ['form', new URLSearchParams({ a: text }).toString().slice(2)],
    ['JSON', JSON.stringify(text).slice(1, -1)],
    ['bytes in decimal', [...Buffer.from(text)].join(',')],
    ['JSON with escapes', escaped(text, /[^A-Za-z0-9]/g)],
    ['JSON of escapes', escaped(text, /./g)],
    // Without its last byte, so that it stands in either byte order.
    ['UTF-16', Buffer.from(text, 'utf16le').subarray(0, -1).toString('latin1')],
    ...[0, 1, 2].flatMap((before): Form[] => {
      const padded = Buffer.from(`${' '.repeat(before)}${text}`)
      // What stands before and after decides the characters at the edges.
      const first = Math.ceil((before * 8) / 6)
      const last = Math.floor((padded.length * 8) / 6)
      return (['base64', 'base64url'] as const).map((kind) => [
        `${kind}, ${before} bytes in`,
        padded.toString(kind).slice(first, last),
      ])
    }),
  ]
}

function escaped(text: string, characters: RegExp): string {
  return text.replaceAll(
    characters,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
