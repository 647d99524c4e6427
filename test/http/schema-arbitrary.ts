/** Values that a JSON Schema of the contract describes, and values that come near it, by chance. */
import fc from 'fast-check'

/** As much of JSON Schema 2020-12 as the contract uses. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly maxLength?: number
  readonly pattern?: string
  readonly format?: string
}

/** What reads as the beginning of something else, is very large, or means something to a program that is not careful. */
const nasty: readonly unknown[] = [
  '',
  ' ',
  '\0',
  '\ud800',
  '\u202e',
  '../../etc/passwd',
  "' OR 1=1 --",
  '{{7*7}}',
  '__proto__',
  'constructor',
  'a'.repeat(5_000),
  '{"a":1}',
  'MIIB'.repeat(100),
  0,
  -1,
  1e308,
  -0,
  2 ** 53,
  0.1,
  true,
  false,
  null,
  [],
  {},
  [[[[[[[[[[[[1]]]]]]]]]]]],
  { __proto__: null, toString: 1 },
]

export const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(...nasty),
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ unit: 'binary', maxLength: 200 }),
)

/** Of the right type mostly; a pattern is met by chance only, since what does not meet it is the point. */
export function described(schema: JsonSchema): fc.Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return fc.oneof(...choices.map(described))
  const [type] = Array.isArray(schema.type) ? schema.type : [schema.type]
  switch (type) {
    case 'object':
      return objectOf(schema)
    case 'array':
      return fc.array(described(schema.items ?? {}), { maxLength: 3 })
    case 'integer':
      return fc.integer()
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true })
    case 'boolean':
      return fc.boolean()
    case 'string':
      return textOf(schema)
    default:
      return anything
  }
}

function objectOf({ properties = {}, required = [], additionalProperties }: JsonSchema) {
  const named = fc.record(
    Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, described(each)])),
    { requiredKeys: [...required] },
  )
  if (typeof additionalProperties !== 'object') return named
  return fc.dictionary(fc.string({ maxLength: 20 }), described(additionalProperties), {
    maxKeys: 3,
  })
}

function textOf({ maxLength = 100 }: JsonSchema): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom('default', 'prod', 'invoice-bot', 'c'.repeat(40), '2026-06-01T00:00:00Z'),
    fc.base64String({ maxLength: Math.min(maxLength, 200) }),
    fc.stringMatching(/^[a-z0-9-]{1,20}$/),
    fc.string({ maxLength: Math.min(maxLength + 1, 200) }),
  )
}

/** The same value with one thing changed somewhere in it. */
export function changed(value: unknown): fc.Arbitrary<unknown> {
  const places = placesIn(value)
  return fc
    .tuple(fc.constantFrom(...places), fc.constantFrom('replace', 'remove', 'add'), anything)
    .map(([place, how, by]) => changeAt(value, place, { how, by }))
}

type Place = readonly (string | number)[]

function placesIn(value: unknown, at: Place = []): readonly Place[] {
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([name, each]) => placesIn(each, [...at, name]))]
}

interface Change {
  readonly how: 'replace' | 'remove' | 'add'
  readonly by: unknown
}

function changeAt(value: unknown, [name, ...rest]: Place, change: Change): unknown {
  if (name === undefined) {
    if (change.how !== 'add' || typeof value !== 'object' || value === null) return change.by
    return Array.isArray(value)
      ? [...value, change.by]
      : { ...value, [`x${rest.length}`]: change.by }
  }
  const copy: Record<string, unknown> = { ...(value as object) }
  if (change.how === 'remove' && rest.length === 0) delete copy[name]
  else copy[name] = changeAt(copy[name], rest, change)
  return Array.isArray(value) ? Object.values(copy) : copy
}
