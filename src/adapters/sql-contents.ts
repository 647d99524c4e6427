/**
 * What many attestations have in common is kept once: endorsements, lists of findings (nearly always the same hundred
 * sentences), certificate tables, event logs. Each attestation names it by digest, and sends it only when this process has
 * not sent it lately.
 */
import { hash } from 'node:crypto'
import { recentValues } from '../recent-values.ts'
import type { AppraisalRecord, KeptEndorsements } from '../service/ports.ts'
import { encodeParts } from './endorsement-cache-encoding.ts'
import type { ContentKind } from './schema.ts'
import type { Column } from './sql-columns.ts'

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
    findings: named('findings', JSON.stringify(record.findings)),
    auxblob: auxblob && named('auxblob', auxblob),
    eventLog: eventLog && named('event-log', eventLog),
    endorsements: held && {
      kind: 'endorsements',
      digest: held.digest,
      bytes: () => encodeParts(held.parts),
    },
  }
}

/** Text counts as its UTF-8, which is written out only where it is sent. */
function named(kind: ContentKind, content: Uint8Array | string): Content {
  const bytes = () => (typeof content === 'string' ? Buffer.from(content) : content)
  return { kind, digest: hash('sha256', content, 'base64url'), bytes }
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
