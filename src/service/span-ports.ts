/** Where is told how long each request took, and to which trace it belongs? Traces are for operators; nothing is decided by them. */
import type { Datum } from '../rats/check.ts'

export interface Spans {
  readonly begin: (request: SpannedRequest) => Span
  /** What was told until now leaves; then nothing more does. Never rejects. */
  readonly close: () => Promise<void>
}

export interface SpannedRequest {
  readonly method: string
  /** As the contract writes it, never as it was asked: `/v1/sessions/{id}`. */
  readonly route: string
  readonly requestId: string
  /** What the caller says that this is part of. Anybody may name any trace. */
  readonly parent: { readonly traceId: string; readonly parentId: string } | undefined
}

export interface Span {
  readonly event: (name: string, fields: Readonly<Record<string, Datum>>) => void
  readonly end: (status: number) => void
}
