/** An appraisal as the database holds it: columns for what is searched by, names of contents, and the rest as one document. */
import { z } from 'zod'
import { toHex } from '../bytes/encoding.ts'
import type { AppraisalRecord } from '../service/ports.ts'
import type { TokenRecord } from '../service/token-ports.ts'
import type { appraisals } from './schema.ts'
import type { ContentReader } from './sql-read-contents.ts'

/** Of the row: `id`, `at` and the like are columns of it. */
type Document = Pick<
  AppraisalRecord,
  | 'requestId'
  | 'audiences'
  | 'tee'
  | 'status'
  | 'trustVector'
  | 'policyCommit'
  | 'policyDigest'
  | 'manifest'
  | 'layers'
  | 'runtimeClaims'
> & {
  /** JSON has no undefined. */
  readonly manifestProvenance: Json<AppraisalRecord['manifestProvenance']>
  readonly referenceValue: Json<AppraisalRecord['referenceValue']>
  /** Absent in most, and in all that older versions wrote. */
  readonly binding?: AppraisalRecord['binding']
  /** Their jtis: the tokens of an appraisal are found by these. */
  readonly tokens: readonly string[]
}
type Json<T> = Exclude<T, undefined> | null

export function documentOf(record: AppraisalRecord, tokens: readonly TokenRecord[]): string {
  const document: Document = {
    requestId: record.requestId,
    audiences: record.audiences,
    tee: record.tee,
    status: record.status,
    trustVector: record.trustVector,
    policyCommit: record.policyCommit,
    policyDigest: record.policyDigest,
    manifest: record.manifest,
    manifestProvenance: record.manifestProvenance ?? null,
    referenceValue: record.referenceValue ?? null,
    layers: record.layers,
    runtimeClaims: record.runtimeClaims,
    ...(record.binding && { binding: record.binding }),
    tokens: tokens.map(({ jti }) => jti),
  }
  return JSON.stringify(document)
}

type AppraisalRow = typeof appraisals.$inferSelect

/** All of them, or it throws. */
export async function recordsOf(
  contents: ContentReader,
  rows: readonly AppraisalRow[],
): Promise<readonly AppraisalRecord[]> {
  const found = await contentsOf(contents, rows)
  return rows.map((row) => recordOf(row, found))
}

/** In their order; undefined: that one cannot be read any more. */
export async function readableOf(
  contents: ContentReader,
  rows: readonly AppraisalRow[],
): Promise<readonly (AppraisalRecord | undefined)[]> {
  const found = await contentsOf(contents, rows)
  return rows.map((row) => {
    try {
      return recordOf(row, found)
    } catch (cause) {
      if (cause instanceof TypeError) return undefined
      throw cause
    }
  })
}

async function contentsOf(contents: ContentReader, rows: readonly AppraisalRow[]): Promise<Found> {
  const [findings, auxblobs, eventLogs] = await Promise.all([
    contents.findings.find(rows.map((row) => row.findings)),
    contents.auxblobs.find(rows.flatMap(({ auxblob }) => auxblob ?? [])),
    contents.eventLogs.find(rows.flatMap(({ eventLog }) => eventLog ?? [])),
  ])
  return { findings, auxblobs, eventLogs }
}

type Found = {
  readonly [Kind in 'findings' | 'auxblobs' | 'eventLogs']: Awaited<
    ReturnType<ContentReader[Kind]['find']>
  >
}

function recordOf(row: AppraisalRow, found: Found): AppraisalRecord {
  const { record, quote, findings, auxblob, eventLog, leafHash, ...columns } = row
  // documentOf wrote it, or migration 0002.
  const { tokens: _, manifestProvenance, referenceValue, ...document } = record as Document
  return {
    ...columns,
    ...document,
    manifestProvenance: manifestProvenance
      ? { commit: manifestProvenance.commit, principal: manifestProvenance.principal ?? undefined }
      : undefined,
    referenceValue: referenceValue ?? undefined,
    findings: present(found.findings, findings),
    // No evidence is empty: none of it is kept.
    evidence:
      quote.length === 0
        ? undefined
        : {
            quote,
            ...(auxblob !== null && { auxblob: present(found.auxblobs, auxblob) }),
            ...(eventLog !== null && { eventLog: present(found.eventLogs, eventLog) }),
          },
    leafHash: toHex(leafHash),
  }
}

/** Throws where it is gone, or cannot be read: evidence without it would read as something else. TypeError: a fault of this one (sql-group-commit.ts). */
function present<T>(found: ReadonlyMap<string, T>, digest: string): T {
  const content = found.get(digest)
  if (content === undefined)
    throw new TypeError(`${digest}, a part of an appraisal, is gone or was altered`)
  return content
}

const tokensSchema = z.object({ tokens: z.array(z.string()) })

export function tokenIdsIn(record: unknown): readonly string[] {
  return tokensSchema.parse(record).tokens
}
