/** What `vouchsafe model` does: files, registries, threads, and the key from a file or by attestation. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { keepDurably } from '../adapters/durable-file.ts'
import { localFiles } from '../adapters/local-files.ts'
import { assertSigned, openModel } from '../adapters/model-open.ts'
import { modelFolder } from '../adapters/model-output.ts'
import { isBegun, type SigningTerms, sealableTree, sealModel } from '../adapters/model-seal.ts'
import { folderSource, MANIFEST_NAME, type ModelSource } from '../adapters/model-source.ts'
import { messageOf, unusable } from '../adapters/model-tree.ts'
import { openModelWorkers } from '../adapters/model-workers.ts'
import type { OciCredentials } from '../adapters/oci-credentials.ts'
import { pushModel, registrySource } from '../adapters/oci-model.ts'
import { isOci, ociReference, ociRepository } from '../adapters/oci-reference.ts'
import { ociRegistry } from '../adapters/oci-registry.ts'
import { systemRandom } from '../adapters/system.ts'
import type {
  InspectedModel,
  ModelAnswer,
  ModelDeps,
  ModelTold,
  OpenedAnswer,
  OpenRequest,
  RegistryAccess,
  SealedAnswer,
  SealRequest,
  StoredModel,
} from '../cli/model-deps.ts'
import { putModelKey } from '../cli/model-key.ts'
import { MODEL_KEY_BYTES, modelKeyOf } from '../seal/model-chunk.ts'
import { openManifest, readManifest, type SealedModel } from '../seal/model-manifest.ts'
import { openSignature, signatureHash } from '../seal/oms-bundle.ts'
import { sha256Text } from '../seal/oms-root.ts'
import { releasedKey } from './attest.ts'

/** `write`: to stdout. */
export function modelDeps(
  write: (bytes: Uint8Array) => Promise<void>,
): Pick<ModelDeps, 'seal' | 'open' | 'inspect'> {
  return {
    seal: sealHere,
    open: async (request, told) => await openHere(request, told, write),
    inspect: inspectHere,
  }
}

async function sealHere(request: SealRequest, told: ModelTold): Promise<SealedAnswer> {
  const { folder, name, version, out, work, keyFile, service } = request
  const repository = isOci(out.place) ? ociRepository(out.place) : undefined
  const place = repository ? work : out.place
  const signature = signingTerms(request)
  const finished = repository !== undefined && (await isThere(join(place, MANIFEST_NAME)))
  const goesOn = finished || (await isBegun(place))
  if (!finished) await sealableTree({ folder, out: place, name, signature })
  const key = await keyFor(keyFile, goesOn)
  try {
    const modelKey = asModelKey(key)
    const model = finished
      ? await finishedModel(place, modelKey, request)
      : await sealedHere({ folder, out: place, name, version, modelKey, signature }, told)
    const resource = service && (await resourceOf(service, { name: `model:${name}`, key }))
    const signed = signature.by !== 'nobody'
    const answer = { ...answerOf(model), signed, keyFile, resource }
    if (!repository) return { ...answer, place }
    const registry = ociRegistry(repository, credentialsOf(out.registry))
    const digest = await pushModel(place, registry, (step) => told({ doing: 'pushing', ...step }))
    await rm(place, { recursive: true, force: true })
    return { ...answer, place: `${out.place}@${digest}` }
  } finally {
    key.fill(0)
  }
}

async function resourceOf(
  service: NonNullable<SealRequest['service']>,
  { name, key }: { readonly name: string; readonly key: Uint8Array },
) {
  const put = { ...service, name, secret: key }
  const { version } = await putModelKey(put, { fetch: globalThis.fetch, files: localFiles })
  return { name, version }
}

async function openHere(
  request: OpenRequest,
  told: ModelTold,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<OpenedAnswer> {
  const { model: stored, to, key, name, digest, minimumVersion, publicKey } = request
  const workers = openModelWorkers()
  try {
    const opened = await openModel({
      source: await sourceOf(stored),
      keyOf: key.from === 'file' ? () => readKey(key.file) : releasedKey(key.request),
      expected: {
        name,
        digest: digest === undefined ? undefined : sha256Text(digest),
        minimumVersion,
      },
      signedBy: publicKey && publicKeyOf(publicKey),
      workers,
      told: (step) => told({ doing: 'opening', ...step }),
    })
    const answer = answerOf(opened.model)
    if (to.kind === 'stdout') {
      const sink = { write, end: async () => {}, abandon: async () => {} }
      await opened.file(to.path, async () => sink)
      return { ...answer, to: 'stdout' }
    }
    const folder = await modelFolder(to.folder)
    try {
      await opened.files(folder.sinkOf)
      await folder.keep()
      return { ...answer, to: to.folder }
    } finally {
      await folder.discard()
    }
  } finally {
    await workers.close()
  }
}

async function inspectHere(stored: StoredModel): Promise<InspectedModel> {
  const source = await sourceOf(stored)
  const model = readManifest(await source.manifest())
  return {
    ...answerOf(model),
    signed: (await source.signature()) !== undefined,
    list: model.files.map(({ path, bytes, digest }) => ({ path, bytes, digest })),
  }
}

async function sealedHere(
  sealing: Omit<Parameters<typeof sealModel>[0], 'workers' | 'told' | 'randomBytes'>,
  told: ModelTold,
): Promise<SealedModel> {
  const workers = openModelWorkers()
  try {
    return await sealModel({
      ...sealing,
      randomBytes: systemRandom.bytes,
      workers,
      told: (step) => told({ doing: 'sealing', ...step }),
    })
  } finally {
    await workers.close()
  }
}

/** It was sealed before, and could not be pushed, or its key not be put. What is said of it must be so. */
async function finishedModel(
  place: string,
  modelKey: KeyObject,
  { name, version, signKey, signed }: SealRequest,
): Promise<SealedModel> {
  const source = folderSource(place)
  const model = openManifest(await source.manifest(), modelKey)
  if (model.name !== name || model.version !== version)
    throw unusable(
      `${place} holds ${model.name} version ${model.version}: name another with --work`,
    )
  // The public half, where it is a private key.
  const signer = signKey ?? signed?.publicKey
  if (signer) await assertSigned(model, source, publicKeyOf(signer))
  else if (await source.signature())
    throw unusable(`${place} holds it signed: go on as it was begun, or name another with --work`)
  return model
}

async function sourceOf({ place, registry }: StoredModel): Promise<ModelSource> {
  if (!isOci(place)) return folderSource(place)
  const reference = ociReference(place)
  return await registrySource(ociRegistry(reference, credentialsOf(registry)), reference.digest)
}

function credentialsOf({ tokenFile, dockerConfig }: RegistryAccess): OciCredentials {
  if (tokenFile !== undefined) return { kind: 'token', file: tokenFile }
  return dockerConfig === undefined ? { kind: 'none' } : { kind: 'docker', file: dockerConfig }
}

/** On the disk before anything is encrypted under it: a model whose key is lost is lost. */
async function keyFor(keyFile: string | undefined, goesOn: boolean): Promise<Uint8Array> {
  if (keyFile !== undefined && goesOn) return await readKey(keyFile)
  if (goesOn)
    throw unusable(
      'sealing was begun here and its key was not kept: remove the folder, and give --key-out to be able to go on',
    )
  const key = systemRandom.bytes(MODEL_KEY_BYTES)
  if (keyFile === undefined) return key
  if (await isThere(keyFile)) throw unusable(`${keyFile} is there already: name another --key-out`)
  await keepDurably(keyFile, key)
  return key
}

/** Bounded: whoever misspells a path may have named the weights. */
async function readKey(file: string): Promise<Uint8Array> {
  try {
    const opened = await open(file, 'r')
    try {
      const { bytesRead, buffer } = await opened.read(new Uint8Array(MODEL_KEY_BYTES + 1))
      return buffer.subarray(0, bytesRead)
    } finally {
      await opened.close()
    }
  } catch (cause) {
    throw unusable(`the key ${file} cannot be read: ${messageOf(cause)}`, cause)
  }
}

function asModelKey(key: Uint8Array): KeyObject {
  try {
    return modelKeyOf(key)
  } catch (cause) {
    throw unusable(messageOf(cause), cause)
  }
}

function signingTerms({ signKey, signed }: SealRequest): SigningTerms {
  if (signKey) return { by: 'key', privateKey: pem(() => createPrivateKey(Buffer.from(signKey))) }
  if (!signed) return { by: 'nobody' }
  const { bundle, publicKey } = signed
  return { by: 'others', bundle, signed: openSignature(bundle, publicKeyOf(publicKey)) }
}

function publicKeyOf(text: Uint8Array): KeyObject {
  return pem(() => createPublicKey(Buffer.from(text)))
}

/** Found out now, and not when a terabyte is sealed. */
function pem(read: () => KeyObject): KeyObject {
  try {
    const key = read()
    signatureHash(key)
    return key
  } catch (cause) {
    // What OpenSSL says of a private key that it cannot read repeats none of it.
    throw unusable(`a key for signatures cannot be used: ${messageOf(cause)}`, cause)
  }
}

function answerOf({ name, version, digest, files }: SealedModel): ModelAnswer {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return { name, version, digest, files: files.length, bytes }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}
