/** What `--at`, `--expect`, `--waive` and `--profile` say, checked against what this TEE knows. Pure; throws Mistake. */
import { fromHex } from '../bytes/encoding.ts'
import type { Waivers } from '../rats/check.ts'
import type { AnyTee } from '../rats/tee.ts'
import { Mistake, namedValue } from './arguments.ts'

const RFC3339 = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i

/** An instant with its zone: without one, the answer would depend on where the command runs. */
export function instantOf(text: string, option = 'at'): Date {
  const [, day = ''] = RFC3339.exec(text) ?? []
  const at = new Date(text.toUpperCase())
  // Date turns the 30th of February into the 1st or 2nd of March.
  const realDay = new Date(`${day}T00:00:00Z`)
  if (
    day === '' ||
    Number.isNaN(at.getTime()) ||
    Number.isNaN(realDay.getTime()) ||
    realDay.toISOString().slice(0, 10) !== day
  )
    throw new Mistake(
      `--${option} ${text} is not an RFC 3339 instant with a zone.`,
      'Write it as 2026-03-05T10:50:03Z or 2026-03-05T11:50:03+01:00.',
    )
  return at
}

/** Field names of this TEE to expected bytes. */
export function expectationsOf(
  tee: AnyTee,
  given: readonly string[],
): ReadonlyMap<string, Uint8Array> {
  const expected = new Map<string, Uint8Array>()
  for (const text of given) {
    const { name, value } = namedValue('expect', text, 'measurement=HEX')
    const field = fieldNamed(tee, name)
    if (expected.has(field))
      throw new Mistake(
        `--expect ${field} was given twice.`,
        'A field has one value: give the one that you expect.',
      )
    expected.set(field, bytesOf(tee, field, value))
  }
  return expected
}

/** `mr-td`, `MR_TD` and `mrTd` are one name: people copy it from documents that each spell it their way. */
function fieldNamed(tee: AnyTee, name: string): string {
  const flat = (text: string) => text.replace(/[-_]/g, '').toLowerCase()
  const known = Object.keys(tee.expectations)
  const field = known.find((each) => flat(each) === flat(name))
  if (field === undefined)
    throw new Mistake(
      `--expect ${name}: ${tee.name} evidence has no field of that name to compare.`,
      `Choose one of ${known.join(', ')}.`,
    )
  return field
}

function bytesOf(tee: AnyTee, field: string, hex: string): Uint8Array {
  const size = tee.expectations[field]?.size ?? 0
  const bytes = fromHex(hex)
  if (!bytes || bytes.length !== size)
    throw new Mistake(
      `--expect ${field} takes exactly ${size} bytes as ${size * 2} hex digits, and ${bytes ? `${bytes.length} bytes were` : `"${hex}" was`} given.`,
      'Give the whole value: nothing is padded or cut, and no prefix such as 0x or sha384: belongs to it.',
    )
  return bytes
}

/** Check ids and groups to reasons. Only what a check declares waivable can be waived. */
export function waiversOf(tee: AnyTee, given: readonly string[]): Waivers {
  const waivers = new Map<string, string>()
  for (const text of given) {
    const { name, value } = namedValue('waive', text, 'CHECK=REASON')
    const reason = value.trim()
    if (reason === '')
      throw new Mistake(
        `--waive ${name} gives no reason.`,
        `Write it as --waive '${name}=REASON': the reason is shown in the result.`,
      )
    assertWaivable(tee, name)
    if (waivers.has(name))
      throw new Mistake(`--waive ${name} was given twice.`, 'Give it once, with one reason.')
    waivers.set(name, reason)
  }
  return waivers
}

function assertWaivable(tee: AnyTee, name: string): void {
  const waivable = waivableChecks(tee)
  const names = [...waivable.keys(), ...waivable.values()]
  if (names.includes(name)) return
  const exists = [...tee.structure, ...tee.authenticate, ...tee.appraise].some(
    ({ id }) => id === name,
  )
  const groups = [...new Set(waivable.values())].map(
    (group) =>
      `${group} (${[...waivable].flatMap(([id, of]) => (of === group ? [id] : [])).join(', ')})`,
  )
  throw new Mistake(
    exists
      ? `--waive ${name}: this check can never be waived.`
      : `--waive ${name}: ${tee.name} has no check or group of that name.`,
    `These may be waived, one by one or by group: ${groups.join('; ')}.`,
  )
}

/** Check id to group, in the order of the checks. */
export function waivableChecks(tee: AnyTee): ReadonlyMap<string, string> {
  return new Map(
    [...tee.authenticate, ...tee.appraise].flatMap(({ id, waivable }) =>
      waivable ? [[id, waivable] as const] : [],
    ),
  )
}

export function profileOf(tee: AnyTee, name: string | undefined): Waivers {
  if (name === undefined) return new Map()
  const profile = Object.hasOwn(tee.profiles, name) ? tee.profiles[name] : undefined
  if (!profile)
    throw new Mistake(
      `--profile ${name} is unknown for ${tee.name}.`,
      `Choose one of ${Object.keys(tee.profiles).join(', ')}; without --profile nothing is waived.`,
    )
  return profile
}

/** `tee.noReference` with the given fields expected. */
export function referenceOf(
  tee: AnyTee,
  start: Readonly<Record<string, unknown>>,
  expected: ReadonlyMap<string, Uint8Array>,
): unknown {
  let reference: unknown = { ...tee.noReference, ...start }
  for (const [field, value] of expected)
    reference = tee.expectations[field]?.apply(reference, value) ?? reference
  return reference
}
