/**
 * What many attestations have in common is kept once: endorsements, lists of findings (nearly always the same hundred
 * sentences), certificate tables, event logs. Each attestation names it by digest, and sends it only when this process has
 * not sent it lately.
 */
import { createHash } from 'node:crypto'
import { and, eq, inArray, or } from 'drizzle-orm'
import { recentValues } from '../recent-values.ts'
import type { AppraisalRecord, KeptEndorsements, RecordedFinding } from '../service/ports.ts'
import { encodeParts } from './endorsement-cache-encoding.ts'
import { type ContentKind, contents } from './schema.ts'
import type { Column } from './sql-columns.ts'
import type { Database } from './sql-engine.ts'

const HOUR = 3600_000
/** How far `last_used_at` may lag behind, so that an attestation seldom writes it. */
export const LAST_USE_GRANULARITY_MS = 12 * HOUR
/**
 * Contents go this much later than the evidence that may rest on them: the lag above, and the day that a partition of
 * evidence may outlive its age.
 */
export const CONTENTS_OUTLIVE_MS = 48 * HOUR

/** Digests; each is some 60 bytes. */
const MOST_REMEMBERED = 20_000

export interface Content {
  readonly kind: ContentKind
  readonly digest: string
  /** Made only if it must be sent. */
  readonly bytes: () => Uint8Array
}

export interface Named {
  readonly findings: Content
  readonly auxblob: Content | undefined
  readonly eventLog: Content | undefined
  readonly endorsements: Content | undefined
}

export function contentsOf(record: AppraisalRecord, held: KeptEndorsements | undefined): Named {
  const { auxblob, eventLog } = record.evidence ?? {}
  return {
    findings: named('findings', Buffer.from(JSON.stringify(record.findings))),
    auxblob: auxblob && named('auxblob', auxblob),
    eventLog: eventLog && named('event-log', eventLog),
    endorsements: held && {
      kind: 'endorsements',
      digest: held.digest,
      bytes: () => encodeParts(held.parts),
    },
  }
}

function named(kind: ContentKind, bytes: Uint8Array): Content {
  const digest = createHash('sha256').update(bytes).digest('base64url')
  return { kind, digest, bytes: () => bytes }
}

export interface RecentContents {
  /** Whether it must be sent again, for use at `at`. */
  readonly isStale: (content: Content, at: Date) => boolean
  readonly remember: (content: Content, at: Date) => void
  /** After rows may have gone. */
  readonly forget: () => void
}

export function recentContents(): RecentContents {
  const make = () => recentValues<number>(MOST_REMEMBERED, () => 1)
  let sent = make()
  const keyOf = ({ kind, digest }: Content) => `${kind} ${digest}`
  return {
    isStale(content, at) {
      const last = sent.get(keyOf(content))
      return last === undefined || at.getTime() - last > LAST_USE_GRANULARITY_MS
    },
    remember: (content, at) => sent.put(keyOf(content), at.getTime()),
    forget() {
      sent = make()
    },
  }
}

export interface SentContent {
  readonly challenge: string
  readonly content: Content
  readonly at: Date
}

export const contentColumns: readonly Column<SentContent>[] = [
  { name: 'challenge', type: 'text', of: ({ challenge }) => challenge },
  { name: 'kind', type: 'text', of: ({ content }) => content.kind },
  { name: 'digest', type: 'text', of: ({ content }) => content.digest },
  { name: 'content', type: 'bytea', of: ({ content }) => content.bytes() },
  { name: 'at', type: 'timestamptz', of: ({ at }) => at },
]

export interface FoundContents {
  /** Throws where it is gone: evidence without it would read as something else. */
  readonly bytes: (kind: ContentKind, digest: string) => Uint8Array
  readonly findings: (digest: string) => readonly RecordedFinding[]
}

export async function findContents(
  database: Database,
  wanted: readonly { readonly kind: ContentKind; readonly digest: string }[],
): Promise<FoundContents> {
  const found = new Map<string, Uint8Array>()
  const kinds = Map.groupBy(wanted, ({ kind }) => kind)
  if (wanted.length > 0) {
    const rows = await database
      .select({ kind: contents.kind, digest: contents.digest, content: contents.content })
      .from(contents)
      .where(
        or(
          ...[...kinds].map(([kind, each]) =>
            and(
              eq(contents.kind, kind),
              inArray(contents.digest, [...new Set(each.map(({ digest }) => digest))]),
            ),
          ),
        ),
      )
    for (const { kind, digest, content } of rows) found.set(`${kind} ${digest}`, content)
  }
  const bytes = (kind: ContentKind, digest: string) => {
    const content = found.get(`${kind} ${digest}`)
    if (!content) throw new Error(`the ${kind} ${digest} of an appraisal are gone`)
    return content
  }
  const lists = new Map<string, readonly RecordedFinding[]>()
  return {
    bytes,
    findings(digest) {
      const known = lists.get(digest)
      if (known) return known
      // contentsOf wrote it, or the migration from a column of that type.
      const list: readonly RecordedFinding[] = JSON.parse(
        new TextDecoder().decode(bytes('findings', digest)),
      )
      lists.set(digest, list)
      return list
    },
  }
}
