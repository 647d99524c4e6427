/**
 * All that a PostgreSQL holds, read past the service: every column of every row of every table in every schema, its own catalogs
 * with their statistics of what columns hold among them, and its files.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { filesBelow } from './planted-files.ts'

/** As text, in which bytea is hex, and bytea raw as well. */
export async function dumpedTables(url: string): Promise<Uint8Array> {
  return await connected(url, async (client) => {
    const { rows: columns } = await client.query(
      `select format('%I.%I', c.table_schema, c.table_name) as place,
         format('%I', c.column_name) as name, c.data_type as type
       from information_schema.columns c
       join information_schema.tables t using (table_schema, table_name)
       where t.table_type = 'BASE TABLE' order by 1, c.ordinal_position`,
    )
    const parts: Uint8Array[] = []
    for (const [place, some] of Map.groupBy(columns, (column) => column.place)) {
      const bytes = some.filter(({ type }) => type === 'bytea')
      const selected = [
        ...some.map(({ name }) => `${name}::text`),
        ...bytes.map(({ name }) => name),
      ]
      const { rows } = await client.query({
        text: `select ${selected.join(', ')} from ${place}`,
        rowMode: 'array',
      })
      parts.push(Buffer.from(`\n${place}\n`))
      for (const cell of rows.flat())
        if (cell !== null) parts.push(Buffer.from(cell), Buffer.from('\n'))
    }
    return Buffer.concat(parts)
  })
}

/** Undefined where there is no pg_dump, or it is older than the server. */
export async function pgDumped(url: string): Promise<Uint8Array | undefined> {
  try {
    const options = { encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 } as const
    const { stdout } = await promisify(execFile)('pg_dump', ['--dbname', url], options)
    return stdout
  } catch (failure) {
    const said = failure instanceof Error ? failure.message : ''
    if (/ENOENT|server version mismatch/.test(said)) return undefined
    throw failure
  }
}

/**
 * `files`: the directory of the server, with tables, write-ahead log and statistics; not the databases that it was born with,
 * which nobody wrote to. `log`: what the server itself logged.
 */
export async function serverFiles(
  url: string,
): Promise<{ readonly files: Uint8Array; readonly log: Uint8Array }> {
  const { directory, untouched } = await connected(url, async (client) => {
    await client.query('checkpoint')
    const { rows } = await client.query('show data_directory')
    const { rows: databases } = await client.query(
      'select oid::text from pg_database where datname <> current_database()',
    )
    return { directory: rows[0].data_directory, untouched: databases.map(({ oid }) => oid) }
  })
  return {
    files: filesBelow(directory, new Set([...untouched, 'log'])),
    log: filesBelow(join(directory, 'log')),
  }
}

export async function connected<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
