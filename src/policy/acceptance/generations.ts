/**
 * May this file carry that generation? The highest ever accepted for a path is kept as a mark that outlives deletion, so
 * that nothing old comes back: not by a revert, not by delete and add again, not through a reset.
 */
import { matchesPath } from '../documents/path-pattern.ts'
import type { TrustRoot } from '../documents/trust-root.ts'
import { readYaml } from '../documents/yaml-document.ts'
import type { PolicyFile } from '../policy.ts'
import { inSlices, type Pause } from '../slices.ts'
import { visible } from '../visible-text.ts'

export const TRUST_ROOT = 'trust/root.yaml'

/** `metadata.generation` of a YAML document; undefined where none can be read, whatever else is wrong with the file. */
export function declaredGeneration({ path, bytes }: PolicyFile): number | undefined {
  if (!path.endsWith('.yaml')) return undefined
  const known = remembered.get(bytes)
  if (known) return known.generation
  const generation = generationIn(bytes)
  remembered.set(bytes, { generation })
  return generation
}

/** A clone hands out the same bytes again for the same content, and several questions are asked about each. */
const remembered = new WeakMap<Uint8Array, { readonly generation: number | undefined }>()

export interface Declared {
  readonly path: string
  readonly generation: number | undefined
}

/** Of those files that keep a mark. */
export async function declaredGenerations(
  files: readonly PolicyFile[],
  pause: Pause,
): Promise<readonly Declared[]> {
  return await inSlices(
    files.filter(({ path }) => keepsMark(path)),
    pause,
    (file) => ({ path: file.path, generation: declaredGeneration(file) }),
  )
}

function generationIn(bytes: Uint8Array): number | undefined {
  const reading = readYaml(bytes)
  if ('mistakes' in reading) return undefined
  const { value } = reading.document
  const generation = memberOf(memberOf(value, 'metadata'), 'generation')
  return Number.isSafeInteger(generation) && Number(generation) >= 0
    ? Number(generation)
    : undefined
}

/** Files whose generation is remembered. */
export function keepsMark(path: string): boolean {
  return path === TRUST_ROOT || (isDocument(path) && path.endsWith('.yaml'))
}

/** Undefined: it may. Otherwise a clause for "commit ... may not become policy: ". */
export function generationFault(
  { path, generation }: Declared,
  { marks, root }: { readonly marks: ReadonlyMap<string, number>; readonly root: TrustRoot },
): string | undefined {
  const mark = marks.get(path)
  // A file that declares none is no document of ours: the schema refuses it before anybody relies on it.
  if (mark === undefined || generation === undefined) return undefined
  if (generation < mark) return fallenText({ path, generation, mark })
  if (generation - mark > FARTHEST)
    return `${visible(path)} has generation ${generation}, and ${mark} was accepted before: a step of more than ${FARTHEST} would leave no room for those that follow. Set metadata.generation to ${mark + 1} and commit again`
  if (generation === mark && (risesStrictly(path) || isApproved(path, root)))
    return `${visible(path)} is changed and still has generation ${mark}: every change to it needs a higher one. Set metadata.generation to ${mark + 1} and commit again`
  return undefined
}

/** Otherwise one person could set the last generation that there is, and nobody could change the file again. */
const FARTHEST = 1_000_000_000

/** Where approvals are asked for, equal generations would let one person bring back what was approved before. */
function isApproved(path: string, { approvals }: TrustRoot): boolean {
  return approvals.paths.some(({ paths }) => paths.some((pattern) => matchesPath(pattern, path)))
}

export interface Fallen {
  readonly path: string
  readonly generation: number
  readonly mark: number
}

/** Not below is enough here: for what a reset brought, which was judged as a whole. */
export function fallenText({ path, generation, mark }: Fallen): string {
  return `${visible(path)} has generation ${generation}, and ${mark} was accepted before: a generation never goes down. Set metadata.generation to at least ${mark} and commit again`
}

function isDocument(path: string): boolean {
  return path.startsWith('agents/') || risesStrictly(path)
}

function risesStrictly(path: string): boolean {
  return path.startsWith('rules/') || path.startsWith('revoked/') || path === TRUST_ROOT
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined
}
