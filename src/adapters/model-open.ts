/**
 * A sealed model into plaintext, as a stream. The manifest is authenticated and judged before a file is touched; a chunk is handed
 * on only when its tag has verified; and at the end of each file its digest must be the one over which the model's digest
 * goes, which is the one that the policy approved.
 */
import type { KeyObject } from 'node:crypto'
import {
  chunkCount,
  chunkPlace,
  HEADER_BYTES,
  type ModelFile,
  modelKeyOf,
  readHeader,
  sealedChunkBytes,
} from '../seal/model-chunk.ts'
import {
  type ExpectedModel,
  judgeModel,
  openManifest,
  type SealedFile,
  type SealedModel,
} from '../seal/model-manifest.ts'
import { ModelRefused } from '../seal/model-refused.ts'
import { openSignature } from '../seal/oms-bundle.ts'
import { inLanes, inOrder, lanesFor, through } from './in-order.ts'
import type { ModelProgress } from './model-seal.ts'
import type { ModelSource, SealedBytes } from './model-source.ts'
import { unusable } from './model-tree.ts'
import type { ModelWorkers } from './model-workers.ts'

const AHEAD = 2

export interface ModelOpening {
  readonly source: ModelSource
  /** Asked once. The bytes are wiped afterwards. */
  readonly keyOf: () => Promise<Uint8Array>
  readonly expected: ExpectedModel
  /** Undefined: whether somebody signed the model is not looked at. Otherwise this key must have. */
  readonly signedBy: KeyObject | undefined
  readonly workers: ModelWorkers
  readonly told: (progress: ModelProgress) => void
}

/** Where plaintext goes. */
export interface ModelSink {
  /** In order. The memory is the sink's until it resolves, and is then used again. */
  readonly write: (chunk: Uint8Array) => Promise<void>
  /** The whole file was handed on, and its digest is right. */
  readonly end: () => Promise<void>
  /** It was not: what was handed on are right bytes of an unfinished file. */
  readonly abandon: () => Promise<void>
}

export interface OpenedModel {
  readonly model: SealedModel
  /** Throws ModelRefused; Problem('model-unusable') when there is no such file. */
  readonly file: (path: string, sinkOf: (file: SealedFile) => Promise<ModelSink>) => Promise<void>
  /** All of them, several at a time. */
  readonly files: (sinkOf: (file: SealedFile) => Promise<ModelSink>) => Promise<void>
}

/** Throws ModelRefused for another model than is expected, before any of it is read. */
export async function openModel(opening: ModelOpening): Promise<OpenedModel> {
  const { source, keyOf, expected, signedBy, workers, told } = opening
  const manifest = await source.manifest()
  const modelKey = await keyFrom(keyOf)
  const model = openManifest(manifest, modelKey)
  judgeModel(model, expected)
  if (signedBy) await assertSigned(model, source, signedBy)

  function progress(total: number): (path: string, bytes: number) => void {
    let done = 0
    return (path, bytes) => {
      done += bytes
      told({ path, done, total })
    }
  }
  async function one({ index, file }: Listed, { sink, ahead, advance }: Handing) {
    const { path, bytes } = file
    const place = { model: model.name, version: model.version, index, path, bytes }
    const sealed = await source.file(index, file)
    try {
      const terms = { file: place, digest: file.digest, modelKey, sealed, sink, workers, ahead }
      await stream({ ...terms, told: (more) => advance(path, more) })
      await sink.end()
    } catch (cause) {
      await sink.abandon()
      throw cause
    } finally {
      await sealed.close()
    }
  }
  const listed = model.files.map((file, index): Listed => ({ index, file }))
  return {
    model,
    async file(path, sinkOf) {
      const found = listed.find(({ file }) => file.path === path)
      if (!found) throw unusable(`the model ${model.name} has no file ${JSON.stringify(path)}`)
      await one(found, {
        sink: await sinkOf(found.file),
        ahead: workers.count,
        advance: progress(found.file.bytes),
      })
    },
    async files(sinkOf) {
      const advance = progress(model.files.reduce((sum, { bytes }) => sum + bytes, 0))
      const { lanes, ahead } = lanesFor(listed.length, workers.count)
      await inLanes(listed, lanes, async (each, _, stopped) => {
        await one(each, {
          sink: await sinkOf(each.file),
          ahead,
          advance(path, bytes) {
            stopped()
            advance(path, bytes)
          },
        })
      })
    },
  }
}

interface Handing {
  readonly sink: ModelSink
  readonly ahead: number
  readonly advance: (path: string, bytes: number) => void
}

interface Listed {
  readonly index: number
  readonly file: SealedFile
}

interface Streaming {
  readonly file: ModelFile
  readonly digest: string
  readonly modelKey: KeyObject
  readonly sealed: SealedBytes
  readonly sink: ModelSink
  readonly workers: ModelWorkers
  /** Chunks of this file that are decrypted at a time. */
  readonly ahead: number
  readonly told: (bytes: number) => void
}

async function stream(streaming: Streaming): Promise<void> {
  const { file, digest, modelKey, sealed, sink, workers, ahead, told } = streaming
  const seal = readHeader(modelKey, file, await sealed.read(HEADER_BYTES))
  const count = chunkCount(file.bytes)
  const memory = workers.memory()
  const opened = inOrder(count, AHEAD + ahead, async (counter) => {
    const chunk = memory.take(sealedChunkBytes(file.bytes, counter))
    const { length } = await sealed.read(chunk.bytes.length, chunk.bytes)
    if (length !== chunk.bytes.length)
      throw refused(file, counter, `${length} bytes`, `${chunk.bytes.length} bytes`)
    const plaintext = await workers.open(seal, chunkPlace(file.bytes, counter), chunk)
    if (plaintext) return plaintext
    throw refused(file, counter, 'bytes that were not sealed for this place', 'the chunk that was')
  })
  const hash = workers.hash()
  try {
    for await (const chunk of through(opened, AHEAD, hash.update)) {
      await sink.write(chunk.bytes)
      told(chunk.bytes.length)
      memory.giveBack(chunk)
    }
    const more = await sealed.read(1)
    if (more.length > 0)
      throw refused(file, count - 1, 'more bytes after it', 'the end of the file')
  } catch (cause) {
    // Ends the hash, which would wait for ever.
    await hash.digest()
    throw cause
  } finally {
    memory.giveAllBack()
  }
  const observed = await hash.digest()
  if (observed !== digest)
    throw new ModelRefused({ where: `digest of ${file.path}`, observed, expected: digest })
}

function refused(
  { path }: ModelFile,
  counter: number,
  observed: string,
  expected: string,
): ModelRefused {
  return new ModelRefused({ where: `${path}, chunk ${counter}`, observed, expected })
}

async function keyFrom(keyOf: ModelOpening['keyOf']): Promise<KeyObject> {
  const received = await keyOf()
  try {
    return modelKeyOf(received)
  } catch (cause) {
    if (cause instanceof TypeError) throw unusable(cause.message, cause)
    throw cause
  } finally {
    received.fill(0)
  }
}

/** The signature goes over the very files that the manifest lists. Throws ModelRefused. */
export async function assertSigned(
  { digest, files }: SealedModel,
  source: Pick<ModelSource, 'signature'>,
  publicKey: KeyObject,
): Promise<void> {
  const bundle = await source.signature()
  if (!bundle)
    throw new ModelRefused({
      where: 'signature of the model',
      observed: 'none',
      expected: 'one by the key that was given',
    })
  const signed = openSignature(bundle, publicKey)
  const names = files.map(({ path }) => path)
  if (signed.root !== digest || signed.files.some(({ path }, index) => path !== names[index]))
    throw new ModelRefused({
      where: 'signature of the model, root',
      observed: signed.root,
      expected: `${digest}, over the same files`,
    })
}
