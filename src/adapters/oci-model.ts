/**
 * A sealed model in an OCI registry: one artifact manifest, one blob for each file, and nothing that is not named by its digest.
 * What a registry changes, drops or swaps is noticed as it would be in a folder.
 */
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { sealedFileBytes } from '../seal/model-chunk.ts'
import { LONGEST_MANIFEST, MOST_FILES, readManifest } from '../seal/model-manifest.ts'
import { ModelRefused } from '../seal/model-refused.ts'
import { LONGEST_BUNDLE } from '../seal/oms-bundle.ts'
import { type Sha256, sha256Of, sha256Text } from '../seal/oms-root.ts'
import {
  MANIFEST_NAME,
  type ModelSource,
  type SealedBytes,
  SIGNATURE_NAME,
  sealedFileName,
} from './model-source.ts'
import type { OciRegistry } from './oci-registry.ts'

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'
const ARTIFACT_TYPE = 'application/vnd.vouchsafe.sealed-model.v1'
const LIST_TYPE = 'application/vnd.vouchsafe.sealed-model.manifest.v1+json'
const FILE_TYPE = 'application/vnd.vouchsafe.sealed-model.file.v1'
const SIGNATURE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json'
const EMPTY = new TextEncoder().encode('{}')
/** Registries refuse more. */
const LARGEST_MANIFEST = 4 * 1024 * 1024

interface Descriptor {
  readonly mediaType: string
  readonly digest: Sha256
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
}

/** What the registry has already is not sent again. Resolves to the digest by which the model is opened. */
export async function pushModel(
  folder: string,
  registry: OciRegistry,
  told: (progress: { path: string; done: number; total: number }) => void,
): Promise<Sha256> {
  const list = new Uint8Array(await readFile(join(folder, MANIFEST_NAME)))
  const { files } = readManifest(list)
  const signature = await readFile(join(folder, SIGNATURE_NAME)).catch(() => undefined)
  const layers: Descriptor[] = [described(LIST_TYPE, list, MANIFEST_NAME)]
  await put(registry, layers[0], list)
  if (signature) {
    const layer = described(SIGNATURE_TYPE, signature, SIGNATURE_NAME)
    layers.push(layer)
    await put(registry, layer, signature)
  }
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  for (const [index, { path, bytes, sealed }] of files.entries()) {
    const name = sealedFileName(index)
    const size = sealedFileBytes(bytes)
    if ((await stat(join(folder, name))).size !== size)
      throw new ModelRefused({ where: name, observed: 'another size', expected: `${size} bytes` })
    if (!(await registry.hasBlob(sealed)))
      await registry.putBlob(
        sealed,
        createReadStream(join(folder, name), { highWaterMark: 8 << 20 }),
      )
    layers.push({ mediaType: FILE_TYPE, digest: sealed, size, annotations: titled(name) })
    done += bytes
    told({ path, done, total })
  }
  const config = described(EMPTY_TYPE, EMPTY)
  await put(registry, config, EMPTY)
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType: ARTIFACT_TYPE,
    config,
    layers,
  }
  return await registry.putManifest(
    MANIFEST_TYPE,
    new TextEncoder().encode(JSON.stringify(manifest)),
  )
}

const descriptor = z.object({
  mediaType: z.string(),
  digest: z.string().transform((text, context) => {
    const digest = sha256Text(text)
    if (!digest) context.addIssue('must be sha256:<hex>')
    return digest ?? z.NEVER
  }),
  size: z.int().min(0),
})

const artifact = z.object({
  mediaType: z.literal(MANIFEST_TYPE),
  artifactType: z.literal(ARTIFACT_TYPE),
  layers: z
    .array(descriptor)
    .min(2)
    .max(MOST_FILES + 2),
})

/** `digest`: of the artifact manifest. Throws Problem('registry-unusable'), ModelRefused. */
export async function registrySource(registry: OciRegistry, digest: Sha256): Promise<ModelSource> {
  const bytes = await registry.manifest(digest, MANIFEST_TYPE, LARGEST_MANIFEST)
  const parsed = artifact.safeParse(jsonOf(bytes))
  if (!parsed.success)
    throw new ModelRefused({
      where: `${digest}`,
      observed: `another artifact (${parsed.error.issues[0]?.message})`,
      expected: ARTIFACT_TYPE,
    })
  const { layers } = parsed.data
  const list = only(LIST_TYPE)
  if (!list)
    throw new ModelRefused({ where: `${digest}`, observed: 'no list of files', expected: 'one' })

  function only(type: string) {
    const [first, ...more] = layers.filter(({ mediaType }) => mediaType === type)
    return more.length === 0 ? first : undefined
  }
  return {
    manifest: async () => await registry.smallBlob(list.digest, LONGEST_MANIFEST),
    async signature() {
      const layer = only(SIGNATURE_TYPE)
      return layer && (await registry.smallBlob(layer.digest, LONGEST_BUNDLE))
    },
    async file(_, { path, bytes, sealed }) {
      const layer = layers.find((each) => each.digest === sealed)
      if (layer?.size === sealedFileBytes(bytes)) return streamed(await registry.blob(sealed))
      throw new ModelRefused({
        where: `layer of ${path}`,
        observed: layer ? `${layer.size} bytes` : 'none',
        expected: `${sealed} of ${sealedFileBytes(bytes)} bytes`,
      })
    },
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

/** Pieces of any size into chunks of the size that is asked for. */
function streamed(pieces: AsyncIterable<Uint8Array>): SealedBytes {
  const iterator = pieces[Symbol.asyncIterator]()
  let left: Uint8Array = new Uint8Array()
  // One after another, whoever asks.
  let last: Promise<unknown> = Promise.resolve()

  async function next(size: number, into: Uint8Array): Promise<Uint8Array> {
    let filled = 0
    while (filled < size) {
      if (left.length === 0) {
        const { done, value } = await iterator.next()
        if (done) break
        left = value
      }
      const taken = left.subarray(0, size - filled)
      into.set(taken, filled)
      filled += taken.length
      left = left.subarray(taken.length)
    }
    return into.subarray(0, filled)
  }
  return {
    read(size, into = new Uint8Array(size)) {
      const turn = last.then(() => next(size, into))
      last = turn.catch(() => {})
      return turn
    },
    async close() {
      await iterator.return?.()
    },
  }
}

async function put(registry: OciRegistry, layer: Descriptor | undefined, bytes: Uint8Array) {
  if (!layer || (await registry.hasBlob(layer.digest))) return
  await registry.putBlob(
    layer.digest,
    (async function* () {
      yield bytes
    })(),
  )
}

function described(mediaType: string, bytes: Uint8Array, name?: string): Descriptor {
  const digest = sha256Of(bytes)
  return { mediaType, digest, size: bytes.length, ...(name ? { annotations: titled(name) } : {}) }
}

function titled(name: string) {
  return { 'org.opencontainers.image.title': name }
}
