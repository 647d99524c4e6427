/**
 * What many attestations have in common (sql-contents.ts), read. It is named by its digest and never changes, so what was read
 * lately is not read again: whoever judges the evidence of a fleet anew needs the same few certificates and lists for all of it.
 */
import { and, eq, sql } from 'drizzle-orm'
import { type Endorsements, endorsements } from '../rats/endorsements.ts'
import { recentValues } from '../recent-values.ts'
import type { RecordedFinding } from '../service/ports.ts'
import { decodeParts } from './endorsement-cache-encoding.ts'
import { type ContentKind, contents } from './schema.ts'
import type { Database } from './sql-engine.ts'

export interface ContentReader {
  readonly findings: Shelf<readonly RecordedFinding[]>
  readonly auxblobs: Shelf<Uint8Array>
  readonly eventLogs: Shelf<Uint8Array>
  readonly endorsements: Shelf<Endorsements>
  /** After rows may have gone. */
  readonly forget: () => void
}

export interface Shelf<T> {
  /** Of those that there are, by digest; what cannot be read is none. Nobody may change them: others have the same. */
  readonly find: (digests: Iterable<string>) => Promise<ReadonlyMap<string, T>>
  readonly forget: () => void
}

/** Of each kind, as they are stored. */
const MOST_BYTES = 8 * 1024 * 1024

export function contentReader(database: Database): ContentReader {
  const statement = database
    .select({ digest: contents.digest, content: contents.content })
    .from(contents)
    .where(
      and(
        eq(contents.kind, sql.placeholder('kind')),
        sql`${contents.digest} = any(${sql.placeholder('digests')}::text[])`,
      ),
    )
    .prepare('find-contents')
  const read: Read = async (kind, digests) => await statement.execute({ kind, digests })
  const shelves = {
    findings: shelf(read, 'findings', findingsIn),
    auxblobs: shelf(read, 'auxblob', (content) => content),
    eventLogs: shelf(read, 'event-log', (content) => content),
    endorsements: shelf(read, 'endorsements', (content) => endorsements(decodeParts(content))),
  }
  return {
    ...shelves,
    forget() {
      for (const { forget } of Object.values(shelves)) forget()
    },
  }
}

type Read = (
  kind: ContentKind,
  digests: readonly string[],
) => Promise<readonly { readonly digest: string; readonly content: Uint8Array }[]>

function shelf<T>(
  read: Read,
  kind: ContentKind,
  decoded: (content: Uint8Array) => T | undefined,
): Shelf<T> {
  const make = () =>
    recentValues<{ readonly value: T; readonly bytes: number }>(MOST_BYTES, ({ bytes }) => bytes)
  let recent = make()
  return {
    async find(digests) {
      const found = new Map<string, T>()
      const missing: string[] = []
      for (const digest of new Set(digests)) {
        const known = recent.get(digest)
        if (known) found.set(digest, known.value)
        else missing.push(digest)
      }
      if (missing.length > 0)
        for (const { digest, content } of await read(kind, missing)) {
          const value = decoded(content)
          if (value === undefined) continue
          recent.put(digest, { value, bytes: content.length })
          found.set(digest, value)
        }
      return found
    },
    forget() {
      recent = make()
    },
  }
}

/**
 * Undefined for what somebody altered: it must fail only who asked for it, not all whose rows were read with it. What
 * JSON.parse says of it would quote it in the log.
 */
function findingsIn(content: Uint8Array): readonly RecordedFinding[] | undefined {
  try {
    const findings: unknown = JSON.parse(new TextDecoder().decode(content))
    // What contentsOf wrote, or the migration from a column of that type.
    return Array.isArray(findings) ? findings : undefined
  } catch {
    return undefined
  }
}
