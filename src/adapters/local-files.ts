/** The files of this machine, for the command line: bounded, because a path may lead to a disk image or a device. */
import { open, readdir, stat } from 'node:fs/promises'

const LARGEST_FILE = 64 * 1024 * 1024
const CHUNK = 64 * 1024

export const localFiles = {
  /**
   * Reads until the end and not by the size that the file system states: what configfs and pipes hand out has none.
   * Rejects with the system's error, or with a sentence for a file above 64 MiB.
   */
  async read(path: string): Promise<Uint8Array> {
    const file = await open(path, 'r')
    try {
      const chunks: Uint8Array[] = []
      let size = 0
      for (;;) {
        const { bytesRead, buffer } = await file.read(new Uint8Array(CHUNK), 0, CHUNK, null)
        if (bytesRead === 0) return new Uint8Array(Buffer.concat(chunks))
        size += bytesRead
        if (size > LARGEST_FILE) throw new Error(`it has more than ${LARGEST_FILE} bytes`)
        chunks.push(buffer.subarray(0, bytesRead))
      }
    } finally {
      await file.close()
    }
  },

  /** Sorted, because endorsements are tried in order and an answer may not depend on a file system. */
  async list(folder: string): Promise<readonly string[]> {
    return (await readdir(folder)).sort()
  },

  async isDirectory(path: string): Promise<boolean> {
    try {
      return (await stat(path)).isDirectory()
    } catch {
      return false
    }
  },
}
