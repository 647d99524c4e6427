/** Is the candidate's whole tree a policy that may take the place of the last one, now that each of its commits was judged? */

import {
  type FileMistake,
  mistakeText,
  type Policy,
  type PolicyFile,
  type PolicyReading,
  readPolicy,
} from '../policy.ts'
import { visible } from '../visible-text.ts'
import type { AcceptanceRequest, Provenance } from './acceptance.ts'
import { declaredGenerations, type Fallen, fallenText } from './generations.ts'
import { HEARTBEAT } from './permitted-paths.ts'
import { listed, type Refusal, refusal, schemaRefusal, short } from './refusal.ts'

interface TreeQuestion {
  readonly request: AcceptanceRequest
  readonly marks: ReadonlyMap<string, number>
  readonly provenance: ReadonlyMap<string, Provenance>
  /** Part of the tree was taken as it is, and may lie below the marks. */
  readonly isReset: boolean
  /** First sight of the judged commit that last changed heartbeat.yaml; undefined: none did. */
  readonly heartbeatSeen: Date | undefined
}

interface JudgedTree {
  readonly policy: Policy
  /** Of files that exist. */
  readonly provenance: Readonly<Record<string, Provenance>>
}

export async function judgeTree(
  question: TreeQuestion,
): Promise<JudgedTree | { readonly refusal: Refusal }> {
  const { request, heartbeatSeen } = question
  const { candidate: commit, history, reading } = request
  const files = await history.filesOf(commit)
  const alike = lookAlikes(files)
  if (alike.length > 0)
    return {
      refusal: schemaRefusal({ commit, why: 'of what it calls its files', mistakes: alike }),
    }

  const provenance = provenanceOf(files, question.provenance)
  const read = await readPolicy(files, { ...reading, commit, provenance })
  if ('condition' in read) return { refusal: notAPolicy(commit, read) }

  const fallen = await fallenIn(files, read.policy, question)
  if (fallen.length > 0)
    return {
      refusal: refusal({
        condition: 'RollbackOrRewrite',
        commit,
        message: `commit ${short(commit)} may not become policy:\n${listed(fallen.map(({ message }) => message))}`,
        mistakes: fallen,
      }),
    }
  const far = heartbeatSeen && tooFarAhead(read.policy, heartbeatSeen)
  if (far)
    return { refusal: schemaRefusal({ commit, why: 'its heartbeat is too long', mistakes: [far] }) }
  return { policy: read.policy, provenance }
}

function notAPolicy(
  commit: string,
  { condition, mistakes }: Extract<PolicyReading, { readonly condition: string }>,
): Refusal {
  if (condition === 'SchemaInvalid')
    return schemaRefusal({ commit, why: 'it is no valid policy', mistakes })
  return refusal({
    condition,
    commit,
    message: `commit ${short(commit)} may not become policy, because its rules do not do what their own cases say. Correct the rule or the case and commit again:\n${listed(mistakes.map(mistakeText))}`,
    mistakes,
  })
}

/** Also for `__proto__`, as a path of its own: fromEntries defines, and never assigns. */
function provenanceOf(
  files: readonly PolicyFile[],
  known: ReadonlyMap<string, Provenance>,
): Readonly<Record<string, Provenance>> {
  return Object.fromEntries(
    files.flatMap(({ path }) => {
      const one = known.get(path)
      return one ? [[path, one] as const] : []
    }),
  )
}

/**
 * Commit by commit, generations were compared with the marks already; what a reset brought was not. Manifests are compared
 * always: their generation was read by the schema, which is not the reader that raised the marks.
 */
async function fallenIn(
  files: readonly PolicyFile[],
  { releases }: Policy,
  { marks, isReset, request }: TreeQuestion,
): Promise<readonly FileMistake[]> {
  const others = isReset ? files.filter(({ path }) => !path.startsWith('agents/')) : []
  const declared = [
    ...releases.map(({ manifest, generation }) => ({ path: manifest.file, generation })),
    ...(await declaredGenerations(others, request.reading.pause)),
  ]
  return declared.flatMap(({ path, generation }) => {
    const mark = marks.get(path)
    if (mark === undefined || generation === undefined || generation >= mark) return []
    const fallen: Fallen = { path, generation, mark }
    return [{ file: path, line: 1, column: 1, message: fallenText(fallen) }]
  })
}

const reserved: ReadonlySet<string> = new Set([
  'agents',
  'approvals',
  HEARTBEAT,
  'measurements',
  'revoked',
  'rules',
  'trust',
])

/** `Trust/root.yaml` is judged as any file here, and is trust/root.yaml in a clone on macOS or Windows, where people approve. */
function lookAlikes(files: readonly PolicyFile[]): readonly FileMistake[] {
  const tops = new Set(files.map(({ path }) => path.split('/', 1)[0] ?? ''))
  return [...tops].flatMap((top) => {
    const plain = folded(top)
    if (plain === top || !reserved.has(plain)) return []
    return [
      {
        file: top,
        line: 1,
        column: 1,
        message: `${visible(top)} is ${plain} on some file systems, and nothing here: call it otherwise`,
      },
    ]
  })
}

/** More than any file system folds: compatibility forms, case, and what has no width. */
function folded(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\p{Default_Ignorable_Code_Point}\p{Mn}. ]+$/gu, '')
    .replace(/[\p{Default_Ignorable_Code_Point}\p{Mn}]/gu, '')
}

function tooFarAhead({ heartbeat, trust }: Policy, seen: Date): FileMistake | undefined {
  const longest = trust.heartbeat?.longestSeconds
  if (!heartbeat || longest === undefined) return undefined
  const last = new Date(seen.getTime() + longest * 1000)
  if (heartbeat.notAfter <= last) return undefined
  return {
    file: HEARTBEAT,
    line: 1,
    column: 1,
    message: `notAfter is ${heartbeat.notAfter.toISOString()}; its commit was first seen at ${seen.toISOString()}, so that it may be ${last.toISOString()} at the latest (spec.heartbeat.longest in trust/root.yaml). Sign one that ends earlier; if nobody of yours signed this one, take its key out of trust/allowed_signers`,
  }
}
