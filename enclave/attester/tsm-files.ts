/**
 * How are the attributes of a TSM report read and written? As the kernel's configfs wants it, and as nothing else: what is no
 * plain file is refused, and no size is believed, since configfs states none that is true.
 */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rmdir, statfs } from 'node:fs/promises'

/** Every one rejects with the kernel's own error, whose `code` says which. */
export interface TsmFiles {
  /** Resolves to the type of the file system; rejects where there is no such folder. */
  readonly fileSystem: (path: string) => Promise<number>
  readonly makeDirectory: (path: string) => Promise<void>
  /** configfs takes the attributes with it. */
  readonly removeDirectory: (path: string) => Promise<void>
  /** To its end. Rejects with RangeError for more than `most` bytes. */
  readonly read: (path: string, most: number) => Promise<Uint8Array>
  /** The whole in one write: an attribute has no parts. */
  readonly write: (path: string, bytes: Uint8Array) => Promise<void>
}

/** A link in such a place was made by somebody else; and a pipe must not keep us waiting. */
const CAREFULLY = constants.O_NOFOLLOW | constants.O_NONBLOCK
const CHUNK = 16 * 1024

export const tsmFiles: TsmFiles = {
  fileSystem: async (path) => (await statfs(path)).type,
  makeDirectory: async (path) => {
    // Not recursive: then a folder that is there already would do.
    await mkdir(path, { mode: 0o700 })
  },
  removeDirectory: async (path) => {
    await rmdir(path)
  },
  async read(path, most) {
    return await withFile(path, constants.O_RDONLY, async (file) => await readToEnd(file, most))
  },
  async write(path, bytes) {
    // Neither created nor cut: an attribute that is not there is none of the kernel's.
    await withFile(path, constants.O_WRONLY, async (file) => {
      const { bytesWritten } = await file.write(bytes)
      if (bytesWritten !== bytes.length)
        throw new RangeError(`${bytesWritten} of ${bytes.length} bytes were taken`)
    })
  },
}

async function withFile<T>(
  path: string,
  access: number,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, access | CAREFULLY)
  try {
    if (!(await file.stat()).isFile()) throw new TypeError('it is no plain file')
    return await use(file)
  } finally {
    await file.close()
  }
}

async function readToEnd(file: FileHandle, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK), 0, CHUNK, null)
    if (bytesRead === 0) return new Uint8Array(Buffer.concat(chunks))
    size += bytesRead
    if (size > most) throw new RangeError(`it is longer than ${most} bytes`)
    chunks.push(buffer.subarray(0, bytesRead))
  }
}
