/**
 * Is this file a document of its kind? The frame that all documents of the policy repository share: YAML without its traps,
 * then a schema that knows every field, and every mistake with its line and column. Unknown keys are mistakes: a misspelt
 * restriction would otherwise be no restriction.
 */
import type { z } from 'zod'
import { visible } from '../visible-text.ts'
import { type Mistake, readYaml, type YamlDocument } from './yaml-document.ts'

export type DocumentReading<T> =
  | { readonly value: T; readonly document: YamlDocument }
  | { readonly mistakes: readonly Mistake[] }

/** `bytes` are a committed file, written by anyone who may commit. */
export function readDocument<S extends z.ZodType>(
  bytes: Uint8Array,
  schema: S,
): DocumentReading<z.output<S>> {
  const reading = readYaml(bytes)
  if ('mistakes' in reading) return reading
  const { document } = reading
  const parsed = schema.safeParse(document.value, { reportInput: true })
  return parsed.success
    ? { value: parsed.data, document }
    : { mistakes: parsed.error.issues.flatMap((issue) => mistakesOf(issue, document)) }
}

/** A rule that a schema cannot hold: none, or one mistake at `path`. */
export function expectAt(
  document: YamlDocument,
  path: readonly PropertyKey[],
  { holds, message }: { readonly holds: boolean; readonly message: string },
): readonly Mistake[] {
  return holds ? [] : [{ ...document.placeOf(path), message: `${pathText(path)}: ${message}` }]
}

/** A mistake of the file as a whole. */
export function ofTheFile(message: string): { readonly mistakes: readonly Mistake[] } {
  return { mistakes: [{ line: 1, column: 1, message }] }
}

function mistakesOf(issue: z.core.$ZodIssue, document: YamlDocument): readonly Mistake[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      ...document.placeOf(issue.path, key),
      message: `${pathText([...issue.path, key])} is not a known field`,
    }))
  const missing = issue.code === 'invalid_type' && issue.input === undefined
  return [
    {
      ...document.placeOf(issue.path),
      message: missing
        ? `${pathText(issue.path)} is missing`
        : `${pathText(issue.path)}: ${issue.message}`,
    },
  ]
}

/** `spec.referenceValues[0].measurement` */
function pathText(path: readonly PropertyKey[]): string {
  const text = path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${visible(String(step))}`))
    .join('')
  return text.replace(/^\./, '') || 'the file'
}
