/**
 * What do google/go-sev-guest and google/go-tdx-guest say? Builds the command in go/, whose go.sum pins every byte of
 * them, and puts cases to it. Only the build may touch the network, for modules that this machine has not fetched yet.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { goTool } from './go-tool.ts'

export interface GoCase {
  readonly kind: 'snp' | 'tdx'
  readonly at: Date
  readonly evidence: Uint8Array
  /** DER, roots excepted. */
  readonly certificates: readonly Uint8Array[]
  readonly certificateTable?: Uint8Array
  readonly roots: readonly { readonly product: string; readonly certificate: Uint8Array }[]
  /** What the vendor's service answers, by address without its query. */
  readonly published: Readonly<Record<string, Published>>
}

export interface Published {
  readonly header: Readonly<Record<string, readonly string[]>>
  readonly body: Uint8Array
}

export interface GoVerdict {
  readonly accepted: boolean
  /** Empty when accepted. */
  readonly error: string
  /** What the library took the bytes to say; null where it could not read them. */
  readonly reading: unknown
}

export interface GoVerifiers {
  /** Why the tests are skipped; undefined where they can run. */
  readonly missing: string | undefined
  readonly judge: (cases: readonly GoCase[]) => readonly GoVerdict[]
}

const LARGEST_ANSWER = 64 * 1024 * 1024

export function goVerifiers(): GoVerifiers {
  const { missing, build } = goTool(join(import.meta.dirname, 'go'), 'interop')
  if (missing !== undefined) return skipped(missing)
  const command = build()
  return { missing: undefined, judge: (cases) => judge(command, cases) }
}

function judge(command: string, cases: readonly GoCase[]): readonly GoVerdict[] {
  const answer = execFileSync(command, { input: requestOf(cases), maxBuffer: LARGEST_ANSWER })
  const verdicts: unknown = JSON.parse(answer.toString())
  if (!Array.isArray(verdicts) || verdicts.length !== cases.length)
    throw new Error(`${cases.length} cases were put to ${command}, which answered otherwise`)
  return verdicts.map(verdictOf)
}

function requestOf(cases: readonly GoCase[]): string {
  return JSON.stringify({ cases: cases.map(wireForm) })
}

/** Bytes as Go's encoding/json reads them. */
function wireForm({ evidence, certificates, certificateTable, roots, published, ...rest }: GoCase) {
  const answers = Object.entries(published).map(
    ([address, { header, body }]) => [address, { header, body: base64(body) }] as const,
  )
  return {
    ...rest,
    evidence: base64(evidence),
    certificates: certificates.map(base64),
    ...(certificateTable && { certificateTable: base64(certificateTable) }),
    roots: roots.map((root) => ({ ...root, certificate: base64(root.certificate) })),
    published: Object.fromEntries(answers),
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

function verdictOf(answer: unknown): GoVerdict {
  if (typeof answer === 'object' && answer !== null && 'accepted' in answer && 'error' in answer) {
    const { accepted, error } = answer
    if (typeof accepted === 'boolean' && typeof error === 'string')
      return { accepted, error, reading: 'reading' in answer ? answer.reading : null }
  }
  throw new Error(`${JSON.stringify(answer)} is no verdict`)
}

function skipped(reason: string): GoVerifiers {
  return {
    missing: reason,
    judge() {
      throw new Error(`nobody to ask: ${reason}`)
    },
  }
}
