/**
 * Which revocations does a commit hold, file by file, and which of them does the next one no longer hold anywhere? A file
 * that cannot be read holds none: breaking it takes as many signatures as emptying it.
 */

import {
  mergedRevocations,
  type Revocations,
  type RevocationsReading,
  readRevocations,
} from '../documents/revocations.ts'
import type { FileMistake, PolicyFile } from '../policy.ts'
import { inSlices, type Pause } from '../slices.ts'

export interface RevokedEntries {
  /** Path to its entries, each as its list and value. */
  readonly byFile: ReadonlyMap<string, ReadonlySet<string>>
  /** Fingerprint to reason: keys whose signatures count no more from the next commit on. */
  readonly signerKeys: ReadonlyMap<string, string>
  readonly mistakes: readonly FileMistake[]
}

/** Of a commit's files; those outside revoked/ do not matter. */
export async function readRevokedEntries(
  files: readonly PolicyFile[],
  pause: Pause,
): Promise<RevokedEntries> {
  const readings = await inSlices(
    files.filter(({ path }) => path.startsWith('revoked/') && path.endsWith('.yaml')),
    pause,
    ({ path, bytes }) => ({ path, reading: readOnce(bytes) }),
  )
  const read = readings.flatMap(({ path, reading }) =>
    'revocations' in reading ? [{ path, revocations: reading.revocations }] : [],
  )
  return {
    byFile: new Map(read.map(({ path, revocations }) => [path, entriesOf(revocations)])),
    signerKeys: mergedRevocations(read.map(({ revocations }) => revocations)).signerKeys,
    mistakes: readings.flatMap(({ path, reading }) =>
      'mistakes' in reading ? reading.mistakes.map((mistake) => ({ file: path, ...mistake })) : [],
    ),
  }
}

/** A clone hands out the same bytes again for a file that did not change. */
const remembered = new WeakMap<Uint8Array, RevocationsReading>()

function readOnce(bytes: Uint8Array): RevocationsReading {
  const reading = remembered.get(bytes) ?? readRevocations(bytes)
  remembered.set(bytes, reading)
  return reading
}

/** The same value may stand in two lists, and means something else in each. */
function entriesOf(revocations: Revocations): ReadonlySet<string> {
  return new Set(
    Object.entries(revocations).flatMap(([list, entries]: [string, Entries]) =>
      [...entries.keys()].map((value) => `${list} ${value}`),
    ),
  )
}

type Entries = ReadonlyMap<string, string>

/** Files of `before` with an entry that no file has afterwards. What moved to another file has not left. */
export function losing(before: RevokedEntries, after: RevokedEntries): ReadonlySet<string> {
  const left = new Set([...after.byFile.values()].flatMap((entries) => [...entries]))
  return new Set(
    [...before.byFile]
      .filter(([, entries]) => [...entries].some((entry) => !left.has(entry)))
      .map(([path]) => path),
  )
}
