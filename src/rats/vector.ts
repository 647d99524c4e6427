/**
 * One case of evidence in one text file: what to verify, with which endorsements, at which instant, and which check must
 * be the first to refuse it. Readable header lines, a blank line, then sections in base64:
 *
 *     tee: sev-snp
 *     expect: snp.vek.tcb
 *     at: 2026-06-01T00:00:00Z
 *     comment: REPORTED_TCB claims an SNP firmware one above the certified one
 *
 *     --- quote
 *     AgAAAAAAAAAAAAMA...
 *     --- certificate
 *     MIIFQzCCAvegAwIB...
 *     --- anchor Milan
 *     ...
 *
 * Optional header lines: `profile: NAME`, `waive: CHECK=REASON` and `expect-field: NAME=HEX` (both repeatable, as on the
 * command line), and `reference: JSON` for expectations that are not bytes of one field. Anchors are simulated, always:
 * a file cannot make itself believed as hardware.
 */
import { fromHex } from '../bytes/encoding.ts'
import { Malformed } from '../bytes/malformed.ts'
import type { Waivers } from './check.ts'
import type { EndorsementParts, SignedCollateral } from './endorsements.ts'
import type { Evidence } from './evidence.ts'

export interface Vector {
  readonly header: VectorHeader
  readonly evidence: Evidence
  readonly parts: EndorsementParts
  /** Simulated roots under which the evidence is meant to be judged. */
  readonly anchors: readonly VectorAnchor[]
}

export interface VectorHeader {
  readonly tee: string
  /** `pass`, or the id of the check that must be the first to fail. */
  readonly expect: string
  readonly at: Date
  /** The one fact that this vector is about. */
  readonly comment: string
  readonly profile: string | undefined
  readonly waivers: Waivers
  /** Field name to expected bytes, as `--expect NAME=HEX`. */
  readonly expectations: ReadonlyMap<string, Uint8Array>
  /** Further fields of the TEE's reference value. `hex:` strings have become bytes and `u64:` strings bigints. */
  readonly reference: Readonly<Record<string, unknown>>
}

export interface VectorAnchor {
  readonly der: Uint8Array
  readonly product: string | undefined
}

const LARGEST_VECTOR = 4 * 1024 * 1024

/** Throws Malformed, with the offset in characters. */
export function decodeVector(text: string): Vector {
  if (text.length > LARGEST_VECTOR)
    throw malformed(0, `${text.length} characters`, `at most ${LARGEST_VECTOR}`)
  const split = text.indexOf('\n\n')
  if (split === -1)
    throw malformed(text.length, 'no blank line', 'a blank line between header and sections')
  const header = decodeHeader(linesOf(text.slice(0, split), 0))
  return { header, ...decodeSections(sectionsOf(linesOf(text.slice(split + 2), split + 2))) }
}

interface Line {
  readonly at: number
  readonly text: string
}

function linesOf(text: string, start: number): readonly Line[] {
  let at = start
  return text.split('\n').map((line) => {
    const placed = { at, text: line }
    at += line.length + 1
    return placed
  })
}

function malformed(offset: number, observed: string, expected: string): Malformed {
  return new Malformed({ path: 'vector', offset }, observed, expected)
}

const ONCE = ['tee', 'expect', 'at', 'comment', 'profile', 'reference']
const REPEATED = ['waive', 'expect-field']

function decodeHeader(lines: readonly Line[]): VectorHeader {
  const once = new Map<string, Line>()
  const waivers = new Map<string, string>()
  const expectations = new Map<string, Uint8Array>()
  for (const { at, text } of lines) {
    const [, key = '', value = ''] = /^([a-z-]+): (.+)$/.exec(text) ?? []
    if (once.has(key)) throw malformed(at, `a second ${key} line`, 'one')
    if (ONCE.includes(key)) once.set(key, { at, text: value })
    else if (key === 'waive') addPair(waivers, { at, text: value }, (reason) => reason)
    else if (key === 'expect-field') addPair(expectations, { at, text: value }, fromHex)
    else throw malformed(at, `"${text}"`, `KEY: VALUE, KEY one of ${[...ONCE, ...REPEATED]}`)
  }
  const required = (key: string): Line => {
    const line = once.get(key)
    if (!line) throw malformed(0, `no ${key} line`, `${key}: VALUE in the header`)
    return line
  }
  const reference = once.get('reference')
  return {
    tee: required('tee').text,
    expect: required('expect').text,
    at: instant(required('at')),
    comment: required('comment').text,
    profile: once.get('profile')?.text,
    waivers,
    expectations,
    reference: reference ? referenceOf(reference) : {},
  }
}

function addPair<T>(
  pairs: Map<string, T>,
  { at, text }: Line,
  decode: (value: string) => T | undefined,
): void {
  const split = text.indexOf('=')
  const name = text.slice(0, split)
  const value = split < 1 ? undefined : decode(text.slice(split + 1))
  if (value === undefined) throw malformed(at, `"${text}"`, 'NAME=VALUE (bytes in hex)')
  if (pairs.has(name)) throw malformed(at, `${name} twice`, 'each name once')
  pairs.set(name, value)
}

function instant({ at, text }: Line): Date {
  const date = new Date(text)
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) || Number.isNaN(date.getTime()))
    throw malformed(at, `"${text}"`, 'an instant such as 2026-06-01T00:00:00Z')
  return date
}

function referenceOf({ at, text }: Line): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text, (_, each: unknown) => revived(each))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // Falls through to the same refusal: whatever is wrong with it, it is not such an object.
  }
  throw malformed(at, `"${text}"`, 'a JSON object; bytes as "hex:00ff", 64-bit values as "u64:0x1"')
}

function revived(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const [, number] = /^u64:(0x[0-9a-f]{1,16})$/.exec(value) ?? []
  if (number) return BigInt(number)
  const bytes = value.startsWith('hex:') ? fromHex(value.slice(4)) : undefined
  if (bytes) return bytes
  if (/^(hex|u64):/.test(value)) throw new TypeError(value)
  return value
}

interface Section {
  readonly at: number
  readonly name: string
  /** What follows the name: the product line of an anchor. */
  readonly of: string | undefined
  readonly bytes: Uint8Array
}

function sectionsOf(lines: readonly Line[]): readonly Section[] {
  const sections: { at: number; name: string; of: string | undefined; base64: string[] }[] = []
  for (const { at, text } of lines) {
    const head = /^--- ([a-z-]+)(?: (\S+))?$/.exec(text)
    const open = sections.at(-1)
    if (head) sections.push({ at, name: head[1] ?? '', of: head[2], base64: [] })
    else if (open) open.base64.push(text)
    else if (text !== '') throw malformed(at, `"${text.slice(0, 40)}"`, '--- SECTION')
  }
  return sections.map(({ base64, ...head }) => ({ ...head, bytes: fromLines(base64, head.at) }))
}

function fromLines(base64: readonly string[], at: number): Uint8Array {
  const text = base64.join('')
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text)
    throw malformed(at, 'a section that is not base64', 'padded base64 (RFC 4648 section 4)')
  return new Uint8Array(bytes)
}

function decodeSections(sections: readonly Section[]): Omit<Vector, 'header'> {
  const only = (name: string): Uint8Array | undefined => {
    const [first, second] = sections.filter((section) => section.name === name)
    if (second) throw malformed(second.at, `a second ${name}`, 'one')
    return first?.bytes
  }
  const all = (name: string) => sections.filter((section) => section.name === name)
  for (const [index, { at, name }] of sections.entries()) {
    if (!SECTIONS.includes(name))
      throw malformed(at, `section ${name}`, `one of ${SECTIONS.join(', ')}`)
    const after = PRECEDED_BY[name]
    if (after && !after.includes(sections[index - 1]?.name ?? ''))
      throw malformed(at, `section ${name} out of place`, `after ${after.join(' or ')}`)
  }

  const quote = only('quote')
  if (!quote) throw malformed(0, 'no quote section', '--- quote')
  const auxblob = only('auxblob')
  const eventLog = only('event-log')
  return {
    evidence: { quote, ...(auxblob && { auxblob }), ...(eventLog && { eventLog }) },
    parts: {
      certificates: all('certificate').map(({ bytes }) => bytes),
      crls: all('crl').map(({ bytes }) => bytes),
      tcbInfos: collateralOf('tcb-info', sections),
      qeIdentities: collateralOf('qe-identity', sections),
    },
    anchors: all('anchor').map(({ bytes, of }) => ({ der: bytes, product: of })),
  }
}

const SECTIONS = [
  'quote',
  'auxblob',
  'event-log',
  'certificate',
  'crl',
  'tcb-info',
  'qe-identity',
  'signature',
  'issuer',
  'anchor',
]

const PRECEDED_BY: Readonly<Record<string, readonly string[]>> = {
  signature: ['tcb-info', 'qe-identity'],
  issuer: ['signature', 'issuer'],
}

/** A document, the signature on it, and then its issuers, signer first. */
function collateralOf(
  name: 'tcb-info' | 'qe-identity',
  sections: readonly Section[],
): readonly SignedCollateral[] {
  return sections.flatMap((section, index) => {
    if (section.name !== name) return []
    const signature = sections[index + 1]
    if (signature?.name !== 'signature')
      throw malformed(section.at, `${name} without a signature`, '--- signature after it')
    const issuerChain: Uint8Array[] = []
    for (let at = index + 2; sections[at]?.name === 'issuer'; at++)
      issuerChain.push(sections[at]?.bytes ?? new Uint8Array())
    return [{ body: section.bytes, signature: signature.bytes, issuerChain }]
  })
}
