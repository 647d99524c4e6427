/**
 * A folder of weights into a folder that may lie anywhere. The manifest comes last: without it nothing looks like a sealed model.
 * What was broken off goes on with the files that are not finished; nothing that was encrypted once is encrypted again under
 * the same key of a file, because every attempt at a file has a salt of its own.
 */
import type { KeyObject } from 'node:crypto'
import { mkdir, readdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import {
  MODEL_NAME,
  type SealedFile,
  type SealedModel,
  writeManifest,
} from '../seal/model-manifest.ts'
import { signModel } from '../seal/oms-bundle.ts'
import { rootOf } from '../seal/oms-root.ts'
import { IGNORED_PATHS, type SignedModel } from '../seal/oms-statement.ts'
import { keepDurably } from './durable-file.ts'
import { inLanes, lanesFor } from './in-order.ts'
import { hasJournal, type Journal, openJournal } from './model-journal.ts'
import { type SealedDigests, sealFile } from './model-seal-file.ts'
import { MANIFEST_NAME, SIGNATURE_NAME, sealedFileName } from './model-source.ts'
import { modelTree, type TreeFile, unusable } from './model-tree.ts'
import type { ModelWorkers } from './model-workers.ts'

export interface ModelSealing {
  readonly folder: string
  readonly out: string
  readonly name: string
  readonly version: number
  readonly modelKey: KeyObject
  /** From a CSPRNG. */
  readonly randomBytes: (size: number) => Uint8Array
  readonly workers: ModelWorkers
  readonly signature: SigningTerms
  readonly told: (progress: ModelProgress) => void
}

export type SigningTerms =
  | { readonly by: 'nobody' }
  | { readonly by: 'key'; readonly privateKey: KeyObject }
  /** Somebody signed the plaintext before: what is sealed is what they signed, in their order, or nothing. */
  | { readonly by: 'others'; readonly signed: SignedModel; readonly bundle: Uint8Array }

export interface ModelProgress {
  readonly path: string
  /** Plaintext, of all files together. */
  readonly done: number
  readonly total: number
}

/** Is there something in `out` that sealing could go on with? Throws Problem for a folder that holds anything else. */
export async function isBegun(out: string): Promise<boolean> {
  const names: readonly string[] = await readdir(out).catch(() => [])
  if (names.length === 0) return false
  if (names.includes(MANIFEST_NAME))
    throw unusable(`${out} holds a sealed model already: name another folder`)
  if (await hasJournal(out)) return true
  throw unusable(`${out} is not empty: name another folder`)
}

/** Throws Problem('model-unusable'). */
export async function sealModel(sealing: ModelSealing): Promise<SealedModel> {
  const { out, name, version, modelKey, signature } = sealing
  const tree = await sealableTree(sealing)
  await mkdir(out, { recursive: true, mode: 0o700 })
  const journal = await openJournal(out, { name, version, modelKey })
  try {
    const files = await sealFiles(sealing, tree, journal)
    const digest = rootOf(files.map((file) => file.digest))
    const model: SealedModel = { name, version, digest, files }
    const bundle = bundleOf(model, signature)
    if (bundle) await keepDurably(join(out, SIGNATURE_NAME), bundle)
    await keepDurably(join(out, MANIFEST_NAME), writeManifest(model, modelKey))
    await journal.remove()
    return model
  } finally {
    await journal.close()
  }
}

/** In the order in which they are sealed. Throws Problem: so it is known before a key is made that there is something to seal. */
export async function sealableTree({
  folder,
  out,
  name,
  signature,
}: Pick<ModelSealing, 'folder' | 'out' | 'name' | 'signature'>): Promise<readonly TreeFile[]> {
  if (!MODEL_NAME.test(name)) throw unusable(`${JSON.stringify(name)} is no name of a model`)
  assertApart(folder, out)
  await isBegun(out)
  return inSignedOrder(await modelTree(folder), signature)
}

async function sealFiles(
  { folder, out, name, version, modelKey, randomBytes, workers, told }: ModelSealing,
  tree: readonly TreeFile[],
  journal: Journal,
): Promise<readonly SealedFile[]> {
  const total = tree.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  const advance = (path: string, bytes: number) => {
    done += bytes
    told({ path, done, total })
  }
  const { lanes, ahead } = lanesFor(tree.length, workers.count)
  const digests = await inLanes(
    tree,
    lanes,
    async (file, index, stopped): Promise<SealedDigests> => {
      const { path, bytes } = file
      const before = await journal.finished(index, file)
      if (before) {
        advance(path, bytes)
        return before
      }
      const made = await sealFile({
        folder,
        tree: file,
        file: { model: name, version, index, path, bytes },
        salt: randomBytes(32),
        modelKey,
        to: join(out, sealedFileName(index)),
        workers,
        ahead,
        told(more) {
          stopped()
          advance(path, more)
        },
      })
      await journal.finish(index, file, made)
      return made
    },
  )
  return tree.map(({ path, bytes }, index) => {
    const made = digests[index]
    if (!made) throw new Error(`${path} was left out`)
    return { path, bytes, digest: made.digest, sealed: made.sealed }
  })
}

function assertApart(folder: string, out: string): void {
  const from = relative(resolve(folder), resolve(out))
  if (from === '' || !(from.startsWith('..') || from.startsWith('/')))
    throw unusable(`${out} lies inside ${folder}, and would become part of the model`)
}

/** What was signed must be what is there, no more and no less, but for what the signature leaves out. */
function inSignedOrder(tree: readonly TreeFile[], signature: SigningTerms): readonly TreeFile[] {
  if (signature.by !== 'others') return tree
  const { files, ignored } = signature.signed
  const left = new Map(tree.map((file) => [file.path, file]))
  const sorted = files.map(({ path }) => {
    const file = left.get(path)
    if (!file) throw unusable(`${path} was signed and is not there`)
    left.delete(path)
    return file
  })
  const leftOut = (path: string) =>
    [...ignored, ...IGNORED_PATHS].some((each) => path === each || path.startsWith(`${each}/`))
  const [stray] = [...left.keys()].filter((path) => !leftOut(path))
  if (stray) throw unusable(`${stray} is there and was not signed`)
  return sorted
}

function bundleOf({ name, digest, files }: SealedModel, signature: SigningTerms) {
  switch (signature.by) {
    case 'nobody':
      return undefined
    case 'key': {
      const signed = { name, root: digest, files, ignored: IGNORED_PATHS }
      return new TextEncoder().encode(signModel(signed, signature.privateKey))
    }
    case 'others': {
      const wrong = files.find(
        (file, index) => file.digest !== signature.signed.files[index]?.digest,
      )
      if (wrong) throw unusable(`${wrong.path} is not the file that was signed`)
      return signature.bundle
    }
  }
}
