/** How does the reading of many files leave others their turn? It pauses after about 10 ms of work. */
import type { PolicyFile } from './policy.ts'

/** Resolves once others had their turn. Undefined: nobody waits. */
export type Pause = (() => Promise<void>) | undefined

/** YAML of so many bytes takes about 10 ms. */
const SLICE = 32 * 1024

export async function inSlices<T>(
  files: readonly PolicyFile[],
  pause: Pause,
  read: (file: PolicyFile) => T,
): Promise<readonly T[]> {
  const made: T[] = []
  let sincePause = 0
  for (const file of files) {
    made.push(read(file))
    sincePause += file.bytes.length
    if (pause && sincePause > SLICE) {
      sincePause = 0
      await pause()
    }
  }
  return made
}
