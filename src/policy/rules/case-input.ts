/** What input does a case put to its rule, and could there ever be such an input? A field that no evidence has would prove nothing. */
import type { ClaimSchema } from '../../rats/tee.ts'
import type { CaseEntry } from './rule-file.ts'
import { ruleVariables } from './rule-variables.ts'

type Fields = Readonly<Record<string, unknown>>
type Path = readonly PropertyKey[]

export interface CaseMistake {
  /** Within the case, or within `spec.inputs` where `base` is set. */
  readonly path: Path
  readonly message: string
}

export interface CaseContext {
  readonly inputs: Readonly<Record<string, Fields>>
  /** Of the rule. */
  readonly tee: string | undefined
  readonly claimSchemas: ReadonlyMap<string, ClaimSchema>
}

export type CaseInput = { readonly input: Fields } | { readonly mistakes: readonly CaseMistake[] }

/** Paths of mistakes are from the case on, or from `spec` on if they begin with `inputs`. */
export function readCaseInput(entry: CaseEntry, context: CaseContext): CaseInput {
  const { inputs } = context
  const base = typeof entry.input === 'string' ? entry.input : undefined
  const start = typeof entry.input === 'string' ? own(inputs, entry.input) : entry.input
  if (start === undefined)
    return failed(['input'], `there is no ${base} among spec.inputs${namesOf(inputs)}`)
  const input = merged(start, entry.change ?? {})
  const tee = input.tee ?? context.tee
  if (context.tee !== undefined && tee !== context.tee)
    return failed(['input'], `the rule is only asked about ${context.tee}, and this is ${tee}`)
  const evidence = typeof tee === 'string' ? context.claimSchemas.get(tee) : undefined
  if (input.tee !== undefined && !evidence)
    return failed(['input'], `there is no TEE ${String(tee)}${namesOf(context.claimSchemas)}`)
  if (input.evidence !== undefined && !evidence)
    return failed(['input'], 'must say of which tee its evidence is')

  const mistakes = [...strange(input, ruleVariables(evidence), []), ...strangeWords(input)].map(
    ({ path, message }) => {
      if (isIn(entry.change, path)) return { path: ['change', ...path], message }
      return { path: base === undefined ? ['input', ...path] : ['inputs', base, ...path], message }
    },
  )
  return mistakes.length > 0
    ? { mistakes }
    : { input: tee === undefined ? input : { ...input, tee } }
}

/** Groups of fields are merged; anything else, null and lists included, is replaced. Depth: the document's own limit. */
function merged(base: Fields, change: Fields): Fields {
  const fields = new Map(Object.entries(base))
  for (const [name, value] of Object.entries(change)) {
    const before = fields.get(name)
    fields.set(name, isFields(before) && isFields(value) ? merged(before, value) : value)
  }
  // Never by assignment, which would take __proto__ for something else than a field.
  return Object.fromEntries(fields)
}

function* strange(fields: Fields, schema: ClaimSchema, path: Path): Generator<CaseMistake> {
  for (const [name, value] of Object.entries(fields)) {
    const here = [...path, name]
    const type = Object.hasOwn(schema, name) ? schema[name] : undefined
    if (type === undefined)
      yield {
        path: here,
        message: `there is no such field; there are ${Object.keys(schema).join(', ')}`,
      }
    else if (type === 'hidden') yield { path: here, message: 'no rule is shown this field' }
    else if (typeof type !== 'string') {
      if (isFields(value)) yield* strange(value, type, here)
      else yield { path: here, message: 'must be a group of fields' }
    } else if (!isOfType(value, type)) yield { path: here, message: `must be ${type}` }
  }
}

function isOfType(value: unknown, type: string): boolean {
  if (value === null) return type.endsWith('?')
  switch (type.replace('?', '')) {
    case 'string':
      return typeof value === 'string'
    case 'int':
      return Number.isSafeInteger(value)
    case 'bool':
      return typeof value === 'boolean'
    case 'list<string>':
      return Array.isArray(value) && value.every((each) => typeof each === 'string')
    default:
      return false
  }
}

/** Of those that have few, so that a misspelt word in a case is no case. */
const words: Readonly<Record<string, readonly string[]>> = {
  assurance: ['hardware', 'simulated'],
  status: ['affirming', 'warning', 'contraindicated', 'none'],
}

function* strangeWords(input: Fields): Generator<CaseMistake> {
  for (const [name, known] of Object.entries(words)) {
    const value = input[name]
    if (typeof value === 'string' && !known.includes(value))
      yield { path: [name], message: `must be one of ${known.join(', ')}` }
  }
}

function isIn(fields: Fields | undefined, path: Path): boolean {
  let value: unknown = fields
  for (const step of path) {
    if (!isFields(value) || !Object.hasOwn(value, step)) return false
    value = value[String(step)]
  }
  return true
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

function namesOf(named: Fields | ReadonlyMap<string, unknown>): string {
  const names = named instanceof Map ? [...named.keys()] : Object.keys(named)
  return names.length > 0 ? `; there are ${names.join(', ')}` : ''
}

function failed(path: Path, message: string): { readonly mistakes: readonly CaseMistake[] } {
  return { mistakes: [{ path, message }] }
}
