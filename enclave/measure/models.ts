/** Which model lies there? The root of OpenSSF Model Signing over its files, by which the manifest approves models. */
import { IGNORED_PATHS, modelOf } from '../../src/seal/oms-statement.ts'
import type { Sha256 } from './file-digest.ts'
import { filesOf, type TreeReading } from './tree.ts'

export interface WatchedModel {
  /** As the manifest calls it. */
  readonly name: string
  /** A folder or one file, as the agent sees it. */
  readonly path: string
}

export type ModelReading =
  | { readonly digest: Sha256 }
  | { readonly fault: string }
  | { readonly pending: true }

/** Costs a stat for each file that is unchanged. Links are refused, as by the format (`allow_symlinks: false`). */
export function readModel({ name, path }: WatchedModel, reading: TreeReading): ModelReading {
  const except = IGNORED_PATHS.map((ignored) => `${path}/${ignored}`)
  const files: { path: string; digest: Sha256 }[] = []
  let isPending = false
  for (const found of filesOf({ path, kind: 'model', except }, reading)) {
    if ('fault' in found.reading) return { fault: `${found.path}: ${found.reading.fault}` }
    if ('pending' in found.reading) isPending = true
    else
      files.push({
        path: found.path.slice(path.length + 1) || found.path.slice(path.lastIndexOf('/') + 1),
        digest: found.reading.digest,
      })
    // The rest would only be begun, and what is begun is kept for a few files.
    if (isPending) return { pending: true }
  }
  if (files.length === 0) return { fault: 'no file' }
  return { digest: modelOf(name, files).root }
}
