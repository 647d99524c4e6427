/** What do the manifests, measurement lists and revocations of a commit say, one by one? Those that did not change are not read again. */
import type { AgentRelease, MeasurementList } from '../rats/release.ts'
import { readManifest } from './documents/manifest.ts'
import { readMeasurementList } from './documents/measurement-list.ts'
import { type Revocations, readRevocations } from './documents/revocations.ts'
import type { Mistake } from './documents/yaml-document.ts'
import type { FileMistake, PolicyFile } from './policy.ts'
import { kindOf } from './policy-layout.ts'
import { inSlices, type Pause } from './slices.ts'

export interface PolicyDocuments {
  readonly releases: readonly AgentRelease[]
  readonly revocations: readonly Revocations[]
  readonly mistakes: readonly FileMistake[]
  /** What was read, for the commit after this one. */
  readonly known: KnownDocuments
}

/** By path; none of them has a mistake. */
export type KnownDocuments = ReadonlyMap<string, KnownDocument>

interface KnownDocument {
  readonly sha256: string
  readonly content: Content
}
type Content =
  | { readonly release: AgentRelease }
  | { readonly revocations: Revocations }
  | { readonly list: MeasurementList }

export interface DocumentsRequest {
  readonly files: readonly PolicyFile[]
  /** Path to SHA-256 in hex, of every file of the commit. */
  readonly digests: ReadonlyMap<string, string>
  readonly waivable: ReadonlySet<string>
  readonly known: KnownDocuments
  readonly pause?: Pause
}

const noManifest: FileMistake = {
  file: 'agents/',
  line: 1,
  column: 1,
  message: 'there is no manifest: an empty policy is more likely a mistake than a decision',
}

/** Enough to mend, and no more than anybody reads: a commit can hold thousands of files that are all wrong. */
const MOST_MISTAKES = 200

export async function readDocuments(request: DocumentsRequest): Promise<PolicyDocuments> {
  const { files, digests, known, pause } = request
  const read = new Map<string, KnownDocument>()
  for (const { path } of files) {
    const before = known.get(path)
    if (before && before.sha256 === digests.get(path) && isCurrent(before.content, digests))
      read.set(path, before)
  }
  const mistakes: FileMistake[] = []
  const reader = readerOf(request)
  const others = files.filter(({ path }) => !read.has(path))
  await inSlices(others, pause, (file) => {
    const reading = mistakes.length < MOST_MISTAKES ? reader(file) : undefined
    if (!reading) return
    const { path } = file
    if ('mistakes' in reading)
      for (const mistake of reading.mistakes) mistakes.push({ file: path, ...mistake })
    else read.set(path, { sha256: digests.get(path) ?? '', content: reading })
  })
  // In the order of the files, whatever was read before.
  const contents = files.flatMap(({ path }) => read.get(path)?.content ?? [])
  const releases = contents.flatMap((each) => ('release' in each ? [each.release] : []))
  if (releases.length === 0 && mistakes.length === 0) mistakes.push(noManifest)
  return {
    releases,
    revocations: contents.flatMap((each) => ('revocations' in each ? [each.revocations] : [])),
    mistakes: mistakes.slice(0, MOST_MISTAKES),
    known: read,
  }
}

/** A manifest says something else once the configuration that it names does, and nothing once a list is gone. */
function isCurrent(content: Content, digests: ReadonlyMap<string, string>): boolean {
  if (!('release' in content)) return true
  const { runtimeConfig: config, runtime } = content.release
  return (
    (config === undefined || digests.get(config.path) === config.sha256) &&
    (runtime?.lists ?? []).every(({ file, sha256 }) => digests.get(file) === sha256)
  )
}

type Reading = Content | { readonly mistakes: readonly Mistake[] }

/** Undefined for files that are no such document; rules are read all together, elsewhere. */
function readerOf({
  files,
  waivable,
}: DocumentsRequest): (file: PolicyFile) => Reading | undefined {
  const contents = new Map(files.map(({ path, bytes }) => [path, bytes]))
  const context = { waivable, fileAt: (path: string) => contents.get(path) }
  return (file) => {
    const kind = kindOf(file.path)
    switch (kind) {
      case 'manifest':
        return readManifest(file, context)
      case 'measurements':
        return readMeasurementList(file.path, file.bytes)
      case 'revocations':
        return readRevocations(file.bytes)
      case 'rules':
      case undefined:
        return undefined
      default:
        return { mistakes: [{ line: 1, column: 1, message: kind.misnamed }] }
    }
  }
}
