/**
 * Many rows in one statement: a column of them is one array parameter, and unnest() makes rows of the arrays again. What a
 * row consists of is a table of columns.
 */
export type SqlType = 'text' | 'uuid' | 'timestamptz' | 'json' | 'bytea' | 'integer' | 'bigint'

export type SqlValue = string | number | Date | Uint8Array

export interface SqlArray {
  readonly type: SqlType
  /** `json` as text; `uuid` with its hyphens. */
  readonly elements: readonly (SqlValue | null)[]
}

export interface Column<Item> {
  readonly name: string
  readonly type: SqlType
  readonly of: (item: Item) => SqlValue | null
}

/** `unnest($3::text[], …) as alias(name, …)`; `first` is the number of the first parameter. */
export function unnest<Item>(
  columns: readonly Column<Item>[],
  { alias, first }: { readonly alias: string; readonly first: number },
): string {
  const arrays = columns.map(({ type }, n) => `$${first + n}::${type}[]`)
  const names = columns.map(({ name }) => name)
  return `unnest(${arrays.join(', ')}) as ${alias}(${names.join(', ')})`
}

/** The parameters of `unnest`, in its order. */
export function arraysOf<Item>(
  columns: readonly Column<Item>[],
  items: readonly Item[],
): readonly SqlArray[] {
  return columns.map(({ type, of }) => ({ type, elements: items.map(of) }))
}

export function isSqlArray(value: unknown): value is SqlArray {
  return typeof value === 'object' && value !== null && 'elements' in value
}

/** Of a row that a plain statement returned; a copy, since drivers hand out views into what they received. */
export function bytesOf(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError('a column of bytes holds something else')
  return new Uint8Array(value)
}
