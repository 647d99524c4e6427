/**
 * Which collector is it that says all this? SHA-256 over the files that watch, by path and digest. A manifest names the digests
 * that it accepts. It says what was installed; that this was what ran is what the launch measurement vouches for.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Sha256 } from './file-digest.ts'

/** Folders and files of the repository, in which all watches or decides what is told. */
const WATCHING: readonly string[] = [
  'enclave/attester',
  'enclave/measure',
  'enclave/sandbox',
  'enclave/sensor',
  'enclave/session',
  'enclave/sidecar',
  'src/rats/runtime-event.ts',
  'src/rats/session-message.ts',
  'src/rats/transcript.ts',
]
/** What is written by people; what is built from it differs by machine. */
const SOURCE = /\.(ts|js|c|h|sh)$/

/** `root`: of the repository; default: of this file’s. Throws the kernel's error where one cannot be read. */
export function collectorDigest(root = fileURLToPath(new URL('../../', import.meta.url))): Sha256 {
  const hash = createHash('sha256')
  for (const path of WATCHING.flatMap((each) => sourcesIn(root, each)).toSorted()) {
    const digest = createHash('sha256')
      .update(readFileSync(join(root, path)))
      .digest('hex')
    hash.update(`${digest}  ${path}\n`)
  }
  return `sha256:${hash.digest('hex')}`
}

function sourcesIn(root: string, path: string): readonly string[] {
  if (SOURCE.test(path)) return [path]
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && SOURCE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, '/').length))
}
