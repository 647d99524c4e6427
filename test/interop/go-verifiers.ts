/**
 * What do google/go-sev-guest and google/go-tdx-guest say? Builds the command in go/, whose go.sum pins every byte of
 * them, and puts cases to it. Only the build may touch the network, for modules that this machine has not fetched yet.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

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

const GO = 'go'
const source = join(import.meta.dirname, 'go')
const env = {
  ...process.env,
  GOFLAGS: '-mod=readonly -buildvcs=false',
  GOTOOLCHAIN: 'local',
  GOWORK: 'off',
  CGO_ENABLED: '0',
}
const LARGEST_ANSWER = 64 * 1024 * 1024

/** Where Go is at hand and the modules are not, tests are skipped as well, except in CI: there that is a failure. */
export function goVerifiers(): GoVerifiers {
  if (failureOf('version') !== undefined) return skipped('there is no go command')
  const unfetched = process.env.CI ? undefined : failureOf('list', '-deps', '.')
  if (unfetched !== undefined) return skipped(`go cannot have its modules: ${unfetched}`)
  const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-interop-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const command = join(folder, 'interop')
  execFileSync(GO, ['build', '-o', command, '.'], { cwd: source, env })
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

/** The last line of what Go complains about; undefined when it does not. */
function failureOf(...question: readonly string[]): string | undefined {
  const { status, stderr } = spawnSync(GO, question, { cwd: source, env, encoding: 'utf8' })
  return status === 0 ? undefined : (stderr?.trimEnd().split('\n').at(-1) ?? 'it does not run')
}

function skipped(reason: string): GoVerifiers {
  return {
    missing: reason,
    judge() {
      throw new Error(`nobody to ask: ${reason}`)
    },
  }
}

/** Name of a group of tests, with the reason if it is skipped. */
export function titled(name: string, { missing }: GoVerifiers): string {
  return missing === undefined ? name : `${name} (skipped: ${missing})`
}
