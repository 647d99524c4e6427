/** Is the content of this commit a policy? All of it or nothing: one bad manifest keeps every other one of its commit out. */
import { createHash } from 'node:crypto'
import type { AgentRelease } from '../rats/release.ts'
import { readManifest } from './manifest.ts'
import type { Mistake } from './yaml-document.ts'

export interface PolicyFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string
  readonly bytes: Uint8Array
}

export interface Policy {
  /** Name of the commit, as Git spells it. */
  readonly commit: string
  /** `sha256:<hex>` over every path and the SHA-256 of its content: Git's own names may rest on SHA-1. */
  readonly digest: string
  readonly releaseOf: (environment: string, agent: string) => AgentRelease | undefined
  readonly releases: readonly AgentRelease[]
}

export interface FileMistake extends Mistake {
  readonly file: string
}

export interface PolicyContext {
  readonly commit: string
  /** Ids and groups of checks that a policy may waive. */
  readonly waivable: ReadonlySet<string>
  /** The policy in force: files that did not change are not read again. */
  readonly previous?: Policy | undefined
}

export type PolicyReading =
  | { readonly policy: Policy }
  | { readonly mistakes: readonly FileMistake[] }

export function readPolicy(
  files: readonly PolicyFile[],
  { commit, waivable, previous }: PolicyContext,
): PolicyReading {
  const unchanged = new Map(
    previous?.releases.map((release) => [release.manifest.file, release] as const),
  )
  const releases: AgentRelease[] = []
  const mistakes: FileMistake[] = []
  const digests = new Map<string, string>()
  for (const { path, bytes } of files) {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    digests.set(path, sha256)
    // Whatever lies under agents/ must be a manifest: a misnamed one would otherwise silently approve nothing.
    if (!path.startsWith('agents/')) continue
    const known = unchanged.get(path)
    const reading =
      known?.manifest.sha256 === sha256
        ? { release: known }
        : readManifest({ path, bytes }, waivable)
    if ('release' in reading) releases.push(reading.release)
    else mistakes.push(...reading.mistakes.map((mistake) => ({ file: path, ...mistake })))
  }
  if (mistakes.length > 0) return { mistakes }
  if (releases.length === 0)
    return {
      mistakes: [
        {
          file: 'agents/',
          line: 1,
          column: 1,
          message: 'there is no manifest: an empty policy is more likely a mistake than a decision',
        },
      ],
    }
  // A name holds no slash, so no two pairs share a key.
  const byName = new Map(
    releases.map((release) => [`${release.environment}/${release.agent}`, release] as const),
  )
  return {
    policy: {
      commit,
      digest: policyDigest(digests),
      releases,
      releaseOf: (environment, agent) => byName.get(`${environment}/${agent}`),
    },
  }
}

/** `agents/prod/invoice-bot.yaml:12:5: spec.release is missing` */
export function mistakeText({ file, line, column, message }: FileMistake): string {
  return `${file}:${line}:${column}: ${message}`
}

/** Lengths keep a path from running into its neighbour; order is by UTF-16 code units, so no locale decides it. */
function policyDigest(digests: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256')
  for (const path of [...digests.keys()].toSorted((a, b) => (a < b ? -1 : 1)))
    hash.update(`${Buffer.byteLength(path)}:${path}:${digests.get(path)}\n`)
  return `sha256:${hash.digest('hex')}`
}
