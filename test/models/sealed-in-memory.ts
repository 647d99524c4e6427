/** Sealed models without files: what the tests of the format and of its opening alter, and what they watch being handed on. */
import { createHash } from 'node:crypto'
import { type ModelOpening, openModel } from '#src/adapters/model-open.ts'
import type { ModelSource } from '#src/adapters/model-source.ts'
import type { ModelWorkers } from '#src/adapters/model-workers.ts'
import {
  beginFile,
  CHUNK_BYTES,
  type ChunkPlace,
  chunkCount,
  chunkPlace,
  type FileSeal,
  modelKeyOf,
  sealChunk,
  TAG_BYTES,
} from '#src/seal/model-chunk.ts'
import { type SealedModel, writeManifest } from '#src/seal/model-manifest.ts'
import { rootOf, sha256Of } from '#src/seal/oms-root.ts'

export const MODEL_KEY = new Uint8Array(32).fill(0x42)

export interface Sealed {
  readonly model: SealedModel
  readonly manifest: Uint8Array
  readonly files: readonly Uint8Array[]
}

export interface Plain {
  readonly path: string
  readonly bytes: Uint8Array
}

export function sealedInMemory(
  plain: readonly Plain[],
  { name = 'llama', version = 3, key = MODEL_KEY } = {},
): Sealed {
  const modelKey = modelKeyOf(key)
  const files = plain.map(({ path, bytes }, index) => {
    const salt = createHash('sha256').update(`${name} ${version} ${index} ${path}`).digest()
    const place = { model: name, version, index, path, bytes: bytes.length }
    const { header, seal } = beginFile(modelKey, place, salt)
    const parts: Uint8Array[] = [header]
    for (let counter = 0; counter < chunkCount(bytes.length); counter++) {
      const plaintext = bytes.subarray(counter * CHUNK_BYTES, (counter + 1) * CHUNK_BYTES)
      parts.push(sealedChunk(seal, chunkPlace(bytes.length, counter), plaintext))
    }
    return new Uint8Array(Buffer.concat(parts))
  })
  const listed = plain.map(({ path, bytes }, index) => ({
    path,
    bytes: bytes.length,
    digest: sha256Of(bytes),
    sealed: sha256Of(files[index] ?? new Uint8Array()),
  }))
  const digest = rootOf(listed.map((file) => file.digest))
  const model = { name, version, digest, files: listed }
  return { model, manifest: writeManifest(model, modelKey), files }
}

export function sealedChunk(
  seal: FileSeal,
  place: ChunkPlace,
  plaintext: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const chunk = new Uint8Array(plaintext.length + TAG_BYTES)
  chunk.set(plaintext)
  sealChunk(seal, place, chunk)
  return chunk
}

/** As whoever stores it hands it out. */
function sourceOf({ manifest, files }: Pick<Sealed, 'manifest' | 'files'>): ModelSource {
  return {
    manifest: async () => manifest,
    signature: async () => undefined,
    async file(index) {
      const bytes = files[index] ?? new Uint8Array()
      let at = 0
      return {
        async read(size, into = new Uint8Array(size)) {
          const part = bytes.subarray(at, at + size)
          at += part.length
          into.set(part)
          return into.subarray(0, part.length)
        },
        close: async () => {},
      }
    },
  }
}

export interface Opened {
  /** Everything that was handed on, by path, whether the file was finished or not. */
  readonly handedOn: ReadonlyMap<string, Uint8Array>
  readonly finished: readonly string[]
  readonly fault: unknown
}

/** Opens all of it, and keeps what came out until it ended. */
export async function openRecording(
  sealed: Pick<Sealed, 'manifest' | 'files'>,
  workers: ModelWorkers,
  terms: Partial<Pick<ModelOpening, 'expected'>> & { readonly key?: Uint8Array } = {},
): Promise<Opened> {
  const { key = MODEL_KEY, expected = {} } = terms
  const chunks = new Map<string, Uint8Array[]>()
  const finished: string[] = []
  let fault: unknown
  try {
    const opened = await openModel({
      source: sourceOf(sealed),
      keyOf: async () => new Uint8Array(key),
      expected,
      signedBy: undefined,
      workers,
      told() {},
    })
    await opened.files(async ({ path }) => {
      chunks.set(path, [])
      return {
        write: async (chunk) => void chunks.get(path)?.push(new Uint8Array(chunk)),
        end: async () => void finished.push(path),
        abandon: async () => {},
      }
    })
  } catch (cause) {
    fault = cause
  }
  const handedOn = new Map(
    [...chunks].map(([path, parts]) => [path, new Uint8Array(Buffer.concat(parts))]),
  )
  return { handedOn, finished, fault }
}

/** Bytes that repeat nowhere, so that a chunk at another place is seen. */
export function filled(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size)
  let state = seed
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}
