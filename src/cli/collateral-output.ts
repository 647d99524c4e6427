/** What `vouchsafe collateral` works with, and how it writes documents down. */
import type { BundleEntry, EndorsementLibrary } from '../service/endorsement-source.ts'
import { nameOf } from '../service/endorsement-subject.ts'
import type { Output } from './answering.ts'
import type { Files } from './files.ts'

export interface CollateralDeps extends Output {
  readonly files: Files
  /** Puts a file in place whole. Rejects with what the file system says. */
  readonly writeFile: (path: string, bytes: Uint8Array) => Promise<void>
  /** Opened only when it is needed. */
  readonly library: () => Promise<EndorsementLibrary>
  readonly wait: (seconds: number) => Promise<void>
  readonly now: () => Date
  /** Whether `err` leads to a terminal. */
  readonly terminal: boolean
}

export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

export function entryJson({ subject, issuedAt, fetchedAt, notAfter }: BundleEntry) {
  return {
    name: nameOf(subject),
    issuedAt: issuedAt.toISOString(),
    fetchedAt: fetchedAt.toISOString(),
    notAfter: notAfter.toISOString(),
  }
}
