/** One file of a model into its sealed form: read, hashed, encrypted, hashed again and written, each while the next is under way. */

import type { KeyObject } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import {
  beginFile,
  CHUNK_BYTES,
  chunkCount,
  chunkPlace,
  type ModelFile,
  sealedChunkBytes,
  TAG_BYTES,
} from '../seal/model-chunk.ts'
import type { Sha256 } from '../seal/oms-root.ts'
import { inOrder, through } from './in-order.ts'
import { assertUnchanged, openTreeFile, type TreeFile, unusable } from './model-tree.ts'
import { type Chunk, frontOf, type ModelWorkers } from './model-workers.ts'

/** Chunks read but not hashed, and hashed but not encrypted: what bounds the memory of one file. */
const AHEAD = 2

/** Whoever owns the storage may have put a link there that leads to a file of ours. */
const WRITTEN = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW

export interface FileSealing {
  readonly folder: string
  readonly tree: TreeFile
  readonly file: ModelFile
  /** 32 random bytes for this very run: an attempt that was broken off is never continued in the middle. */
  readonly salt: Uint8Array
  readonly modelKey: KeyObject
  /** There whole or not at all. */
  readonly to: string
  readonly workers: ModelWorkers
  /** Chunks of this file that are encrypted at a time. */
  readonly ahead: number
  /** Plaintext bytes since the last call. */
  readonly told: (bytes: number) => void
}

export interface SealedDigests {
  readonly digest: Sha256
  readonly sealed: Sha256
}

/** Throws Problem('model-unusable'). */
export async function sealFile(sealing: FileSealing): Promise<SealedDigests> {
  const { folder, tree, to } = sealing
  const source = await openTreeFile(folder, tree)
  try {
    const draft = `${to}.part`
    const target = await open(draft, WRITTEN, 0o600)
    try {
      const digests = await write(sealing, source, target)
      await assertUnchanged(source, tree)
      await target.sync()
      await rename(draft, to)
      return digests
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

async function write(
  { tree, file, salt, modelKey, workers, ahead, told }: FileSealing,
  source: FileHandle,
  target: FileHandle,
): Promise<SealedDigests> {
  const { header, seal } = beginFile(modelKey, file, salt)
  const plain = workers.hash()
  const sealed = workers.hash()
  const count = chunkCount(tree.bytes)
  const memory = workers.memory()
  let written = 0
  const put = async (bytes: Uint8Array) => {
    await writeAll(target, bytes, written)
    written += bytes.length
  }
  const read = inOrder(count, AHEAD, async (counter) => {
    const chunk = memory.take(sealedChunkBytes(tree.bytes, counter))
    await readChunk(source, counter * CHUNK_BYTES, textIn(chunk).bytes)
    return chunk
  })
  const hashed = through(read, AHEAD, async (chunk) => {
    await plain.update(textIn(chunk))
    return chunk
  })
  let counter = 0
  const encrypted = through(hashed, ahead, async (chunk) => {
    const place = chunkPlace(tree.bytes, counter)
    counter += 1
    return await workers.seal(seal, place, chunk)
  })
  try {
    const first = memory.take(header.length)
    first.bytes.set(header)
    await sealed.update(first)
    await put(first.bytes)
    memory.giveBack(first)
    for await (const chunk of through(encrypted, AHEAD, sealed.update)) {
      await put(chunk.bytes)
      told(textIn(chunk).bytes.length)
      memory.giveBack(chunk)
    }
  } finally {
    memory.giveAllBack()
  }
  return { digest: await plain.digest(), sealed: await sealed.digest() }
}

/** Without the room for the tag. */
function textIn(chunk: Chunk): Chunk {
  return frontOf(chunk, chunk.bytes.length - TAG_BYTES)
}

async function readChunk(source: FileHandle, at: number, into: Uint8Array): Promise<void> {
  for (let filled = 0; filled < into.length; ) {
    const { bytesRead } = await source.read(into, filled, into.length - filled, at + filled)
    if (bytesRead === 0) throw unusable('a file became shorter while it was read')
    filled += bytesRead
  }
}

/** A disk may take less than it is given. */
export async function writeAll(target: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await target.write(bytes, done, bytes.length - done, at + done)
    done += bytesWritten
  }
}
