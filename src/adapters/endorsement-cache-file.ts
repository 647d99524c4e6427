/** Puts a file in place whole: whoever reads the path sees the old contents or the new, also when we are killed in between. */
import { randomUUID } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'

export const TEMPORARY_SUFFIX = '.tmp'

/** `mode` as of chmod; the default lets nobody else read. Not synced: what a power cut tears is found by its hash. */
export async function replaceFile(path: string, bytes: Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${path}.${randomUUID()}${TEMPORARY_SUFFIX}`
  try {
    await writeFile(temporary, bytes, { mode, flag: 'wx' })
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw cause
  }
}
