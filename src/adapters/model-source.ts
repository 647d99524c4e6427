/** Where are the bytes of a sealed model? In a folder, as sealing leaves it; or in a registry (oci-model.ts). All of it may be anybody's. */
import { constants } from 'node:fs'
import { type FileHandle, open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sealedFileBytes } from '../seal/model-chunk.ts'
import { LONGEST_MANIFEST, type SealedFile } from '../seal/model-manifest.ts'
import { ModelRefused } from '../seal/model-refused.ts'
import { LONGEST_BUNDLE } from '../seal/oms-bundle.ts'
import { messageOf, unusable } from './model-tree.ts'

export const MANIFEST_NAME = 'sealed-model.json'
/** OpenSSF Model Signing 1.0, section 9. */
export const SIGNATURE_NAME = 'model.sig'

export interface ModelSource {
  readonly manifest: () => Promise<Uint8Array>
  /** Undefined: the model was not signed. */
  readonly signature: () => Promise<Uint8Array | undefined>
  readonly file: (index: number, file: SealedFile) => Promise<SealedBytes>
}

/** One sealed file, from its beginning. */
export interface SealedBytes {
  /** The next `size` bytes, in `into` where there is one, of just this size; fewer when it ends before. Calls need not wait. */
  readonly read: (size: number, into?: Uint8Array) => Promise<Uint8Array>
  readonly close: () => Promise<void>
}

/** Names are ours, from the position alone: nothing that a manifest says becomes a path of what is stored. */
export function sealedFileName(index: number): string {
  return `${index.toString().padStart(5, '0')}.sealed`
}

export function folderSource(folder: string): ModelSource {
  return {
    manifest: async () => await readSmall(join(folder, MANIFEST_NAME), LONGEST_MANIFEST),
    async signature() {
      const path = join(folder, SIGNATURE_NAME)
      return (await stat(path).catch(() => undefined))
        ? await readSmall(path, LONGEST_BUNDLE)
        : undefined
    },
    async file(index, { path, bytes }) {
      const name = sealedFileName(index)
      const opened = await openRegular(join(folder, name))
      const { size } = await opened.stat()
      if (size === sealedFileBytes(bytes)) return bytesOf(opened)
      await opened.close()
      throw new ModelRefused({
        where: `${name} (${path})`,
        observed: `${size} bytes`,
        expected: `${sealedFileBytes(bytes)} bytes`,
      })
    },
  }
}

function bytesOf(opened: FileHandle): SealedBytes {
  let position = 0
  return {
    async read(size, into = new Uint8Array(size)) {
      const from = position
      position += size
      let filled = 0
      while (filled < size) {
        const { bytesRead } = await opened.read(into, filled, size - filled, from + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return into.subarray(0, filled)
    },
    close: async () => await opened.close(),
  }
}

async function readSmall(path: string, most: number): Promise<Uint8Array> {
  const opened = await openRegular(path)
  try {
    const { size } = await opened.stat()
    if (size > most) throw unusable(`${path} has ${size} bytes, and ${most} are the most`)
    return new Uint8Array(await readFile(opened))
  } finally {
    await opened.close()
  }
}

/** No device, no pipe that never ends. */
async function openRegular(path: string): Promise<FileHandle> {
  let opened: FileHandle
  try {
    opened = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw unusable(`${path} cannot be read: ${messageOf(cause)}`, cause)
  }
  if ((await opened.stat()).isFile()) return opened
  await opened.close()
  throw unusable(`${path} is no regular file`)
}
