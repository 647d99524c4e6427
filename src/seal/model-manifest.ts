/**
 * What does a sealed model consist of? `sealed-model.json`: name, version, the OpenSSF Model Signing root of the plaintext, and
 * every file in order. Whoever stores a model can read it and, without the model key, cannot write one: it ends with an
 * HMAC-SHA-256 over every byte that is before it. Who does have the key, which is every agent that was given it, could:
 * that is why the digest is compared with the one that the policy approved.
 */
import { createHmac, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { fromBase64Url, toBase64Url } from '../bytes/encoding.ts'
import { MODEL_FORMAT } from './model-chunk.ts'
import { collisionAmong, faultOfPath } from './model-path.ts'
import { ModelRefused } from './model-refused.ts'
import { rootOf, type Sha256 } from './oms-root.ts'

export const MODEL_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/
export const MOST_FILES = 10_000
/** 16 TiB. */
export const MOST_BYTES = 2 ** 44
export const LONGEST_MANIFEST = 16 * 1024 * 1024
const MOST_VERSION = 2 ** 31 - 1

export interface SealedModel {
  readonly name: string
  /** Rises; the policy names the lowest that may be loaded. */
  readonly version: number
  /** Root of the plaintext's OpenSSF Model Signing manifest: `models[].digest` of an AgentRelease. */
  readonly digest: Sha256
  /** In the order over which the root goes; a file's position is bound to its ciphertext. */
  readonly files: readonly SealedFile[]
}

export interface SealedFile {
  readonly path: string
  /** Of the plaintext. */
  readonly bytes: number
  /** Of the plaintext. */
  readonly digest: Sha256
  /** Of the file as it is stored, header and tags included: what a registry calls it. */
  readonly sealed: Sha256
}

const sha256 = z.templateLiteral(['sha256:', z.string().regex(/^[0-9a-f]{64}$/)])

const schema = z.strictObject({
  format: z.literal(MODEL_FORMAT),
  name: z.string().regex(MODEL_NAME),
  version: z.int().min(1).max(MOST_VERSION),
  digest: sha256,
  files: z
    .array(
      z.strictObject({
        path: z.string().min(1),
        bytes: z.int().min(0).max(MOST_BYTES),
        digest: sha256,
        sealed: sha256,
      }),
    )
    .min(1)
    .max(MOST_FILES),
  seal: z.string(),
})

/** The seal is the last member, and nothing is below it. */
const SEAL = /,\n {2}"seal": "([A-Za-z0-9_-]{43})"\n}\n$/

/** The text of `sealed-model.json`. */
export function writeManifest(
  { name, version, digest, files }: SealedModel,
  modelKey: KeyObject,
): Uint8Array {
  const listed = files.map(({ path, bytes, digest, sealed }) => ({ path, bytes, digest, sealed }))
  const model = { format: MODEL_FORMAT, name, version, digest, files: listed }
  const covered = JSON.stringify(model, null, 2).slice(0, -'\n}'.length)
  const text = `${covered},\n  "seal": "${toBase64Url(sealOf(covered, modelKey))}"\n}\n`
  return new TextEncoder().encode(text)
}

/** Throws ModelRefused unless who made it had the key, and it holds together. */
export function openManifest(received: Uint8Array, modelKey: KeyObject): SealedModel {
  const text = textOf(received)
  const found = SEAL.exec(text)
  const seal = fromBase64Url(found?.[1] ?? '')
  if (!(found && seal && timingSafeEqual(seal, sealOf(text.slice(0, found.index), modelKey))))
    throw new ModelRefused({
      where: 'sealed-model.json, seal',
      observed: 'a manifest that was not made with this key, or was altered',
      expected: 'the HMAC of its bytes under the key of this model',
    })
  return readManifest(received)
}

/** What a manifest says of itself, which without the key is anybody's word. Throws ModelRefused when it does not hold together. */
export function readManifest(received: Uint8Array): SealedModel {
  const parsed = schema.safeParse(jsonOf(textOf(received)))
  if (!parsed.success) throw malformed(sentenceOf(parsed.error))
  const { name, version, digest, files } = parsed.data
  const paths = files.map(({ path }) => path)
  for (const path of paths) {
    const fault = faultOfPath(path)
    if (fault) throw malformed(`a path with ${fault}`)
  }
  const collision = collisionAmong(paths)
  if (collision) throw malformed(`both ${collision[0]} and ${collision[1]}`)
  if (files.reduce((sum, { bytes }) => sum + bytes, 0) > MOST_BYTES)
    throw malformed(`more than ${MOST_BYTES} bytes`)
  const root = rootOf(files.map(({ digest }) => digest))
  if (root !== digest)
    throw new ModelRefused({ where: 'sealed-model.json, digest', observed: digest, expected: root })
  return { name, version, digest, files }
}

export interface ExpectedModel {
  readonly name?: string | undefined
  readonly digest?: Sha256 | undefined
  /** An older one is refused, however well it is sealed. */
  readonly minimumVersion?: number | undefined
}

/** Throws ModelRefused when it is another model than the policy names. */
export function judgeModel(model: SealedModel, expected: ExpectedModel): void {
  const refused = (what: string, observed: unknown, wanted: string) =>
    new ModelRefused({ where: `model ${what}`, observed: `${observed}`, expected: wanted })
  if (expected.name !== undefined && expected.name !== model.name)
    throw refused('name', model.name, expected.name)
  if (expected.minimumVersion !== undefined && model.version < expected.minimumVersion)
    throw refused('version', model.version, `at least ${expected.minimumVersion}`)
  if (expected.digest !== undefined && expected.digest !== model.digest)
    throw refused('digest', model.digest, expected.digest)
}

function sealOf(covered: string, modelKey: KeyObject): Uint8Array {
  const key = hkdfSync('sha256', modelKey, '', `${MODEL_FORMAT} manifest`, 32)
  return createHmac('sha256', Buffer.from(key)).update(covered, 'utf8').digest()
}

function textOf(received: Uint8Array): string {
  if (received.length > LONGEST_MANIFEST)
    throw malformed(`${received.length} bytes, more than ${LONGEST_MANIFEST}`)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(received)
  } catch {
    throw malformed('bytes that are not UTF-8')
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('text that is not JSON')
  }
}

function malformed(observed: string): ModelRefused {
  return new ModelRefused({
    where: 'sealed-model.json',
    observed,
    expected: 'the manifest of a sealed model',
  })
}

function sentenceOf(error: z.ZodError): string {
  const [first] = error.issues
  return `at ${first?.path.join('.') || 'its top'}: ${first?.message ?? 'another form'}`
}
