/**
 * Statements that PGlite plans once and not at every use: planning what records an attestation takes it 2 ms, running it a
 * third of that. Its own `query` cannot name a statement, so this speaks PostgreSQL's protocol to it (PostgreSQL 18, section
 * 54.2.3, extended query), as every driver does.
 */
import type { PGlite } from '@electric-sql/pglite'
import { serialize } from 'pg-protocol'
import { binaryArray } from './postgres-arrays.ts'
import { isSqlArray, type SqlArray } from './sql-columns.ts'
import type { Row, SqlScalar } from './sql-engine.ts'

export interface NamedStatement {
  readonly name: string
  readonly text: string
  readonly values: readonly (SqlArray | SqlScalar)[]
}

/** `known`: names that this client has prepared already. All or nothing. */
export async function preparedRows(
  client: PGlite,
  known: Set<string>,
  { name, text, values }: NamedStatement,
): Promise<readonly Row[]> {
  const asked = Buffer.concat([
    serialize.bind({ statement: name, values: values.map(parameterOf) }),
    serialize.describe({ type: 'P' }),
    serialize.execute({}),
    serialize.sync(),
  ])
  // What is asked of the protocol itself waits for nobody's transaction, and would become part of it: so it has one.
  return await client.transaction(async () => {
    if (!known.has(name)) {
      await client.execProtocol(Buffer.concat([serialize.parse({ name, text }), serialize.sync()]))
      known.add(name)
    }
    const { messages } = await client.execProtocol(asked)
    return rowsIn(messages, client.parsers)
  })
}

/** Bytes go in binary; whatever else as PostgreSQL reads it in text. */
function parameterOf(value: SqlArray | SqlScalar): Buffer | string | null {
  if (value === null || value === undefined) return null
  if (isSqlArray(value)) return binaryArray(value)
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return value instanceof Date ? value.toISOString() : String(value)
}

interface Column {
  readonly name: string
  readonly dataTypeID: number
}
type Fields = readonly (string | null)[]
type Messages = Awaited<ReturnType<PGlite['execProtocol']>>['messages']

/** PGlite types its messages by name and length alone; what their fields hold is its own parser's, by the name. */
function rowsIn(messages: Messages, parsers: PGlite['parsers']): readonly Row[] {
  let columns: readonly Column[] = []
  const rows: Row[] = []
  for (const message of messages) {
    if (!('fields' in message)) continue
    if (message.name === 'rowDescription') columns = message.fields as readonly Column[]
    if (message.name === 'dataRow') rows.push(rowOf(columns, message.fields as Fields, parsers))
  }
  return rows
}

function rowOf(columns: readonly Column[], fields: Fields, parsers: PGlite['parsers']): Row {
  return Object.fromEntries(
    columns.map(({ name, dataTypeID }, n) => {
      const text = fields[n] ?? null
      const parse = parsers[dataTypeID]
      return [name, text === null || !parse ? text : parse(text, dataTypeID)]
    }),
  )
}
