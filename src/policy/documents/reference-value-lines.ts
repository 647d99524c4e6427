/** On which line of the manifest does each field of a reference value stand? So that a refusal can point at it. */
import type { YamlDocument } from './yaml-document.ts'

/** `entry` is what stands at `path`: its fields, and those of its objects one level deeper as `minimumTcb.snp`. */
export function linesOfFields(
  document: YamlDocument,
  path: readonly PropertyKey[],
  entry: object,
): Readonly<Record<string, number>> {
  const lines: Record<string, number> = {}
  for (const [field, value] of Object.entries(entry)) {
    const at = [...path, field]
    lines[field] = document.placeOf(path, field).line
    if (isObject(value))
      for (const inner of Object.keys(value))
        lines[`${field}.${inner}`] = document.placeOf(at, inner).line
  }
  return lines
}

function isObject(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    !ArrayBuffer.isView(value) &&
    !Array.isArray(value)
  )
}
