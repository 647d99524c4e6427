/**
 * What does a signature of OpenSSF Model Signing 1.0 say of a model? An in-toto statement (spec/v1.0.md, sections 5 and 6): every
 * file with its digest, and one digest over them all. Files as they are, SHA-256, no symbolic links: shards and other hashes
 * are refused with a sentence.
 */
import { z } from 'zod'
import { byCodePoint } from './model-path.ts'
import { ModelRefused } from './model-refused.ts'
import { rootOf, type Sha256 } from './oms-root.ts'

const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'
const PREDICATE_TYPE = 'https://model_signing/signature/v1.0'

/** Section 6.2: never part of a model, at its top. */
export const IGNORED_PATHS: readonly string[] = ['.git', '.gitattributes', '.github', '.gitignore']

export interface SignedFile {
  readonly path: string
  readonly digest: Sha256
}

export interface SignedModel {
  /** For people: nothing rests on it (section 6.5.1). */
  readonly name: string
  readonly root: Sha256
  /** In the order over which the root goes. */
  readonly files: readonly SignedFile[]
  /** Relative to the model; what is below them was not signed. */
  readonly ignored: readonly string[]
}

/** In the order of the specification, which is that of the names. */
export function modelOf(name: string, files: readonly SignedFile[]): SignedModel {
  const sorted = files.toSorted((a, b) => byCodePoint(a.path, b.path))
  const root = rootOf(sorted.map(({ digest }) => digest))
  return { name, root, files: sorted, ignored: IGNORED_PATHS }
}

/** The bytes that are signed. */
export function writeStatement({ name, root, files, ignored }: SignedModel): Uint8Array {
  const resources = files.map(({ path, digest }) => ({
    name: path,
    algorithm: 'sha256',
    digest: hexOf(digest),
  }))
  const serialization = {
    method: 'files',
    hash_type: 'sha256',
    allow_symlinks: false,
    ignore_paths: ignored,
  }
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [{ name, digest: { sha256: hexOf(root) } }],
    predicateType: PREDICATE_TYPE,
    predicate: { serialization, resources },
  }
  return new TextEncoder().encode(JSON.stringify(statement))
}

const hex = z.string().regex(/^[0-9a-f]{64}$/)

/** Loose where section 11 says that a verifier ignores what it does not know. */
const schema = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([z.object({ name: z.string().min(1), digest: z.object({ sha256: hex }) })]),
  predicateType: z.literal(PREDICATE_TYPE),
  predicate: z.object({
    serialization: z.object({
      method: z.literal('files', 'only files as a whole are supported, and no shards'),
      hash_type: z.literal('sha256', 'only sha256 is supported'),
      allow_symlinks: z.literal(false, 'symbolic links are not supported'),
      ignore_paths: z.array(z.string().max(512)).max(1000).default([]),
    }),
    resources: z
      .array(z.object({ name: z.string().min(1), algorithm: z.literal('sha256'), digest: hex }))
      .min(1)
      .max(100_000),
  }),
})

/**
 * The order of the files is taken as it is: the specification sorts by name and the package model-signing by the parts of a
 * path, and the root goes over what is written. Throws ModelRefused.
 */
export function readStatement(payload: Uint8Array): SignedModel {
  const parsed = schema.safeParse(jsonOf(payload))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw malformed(`at ${issue?.path.join('.') || 'its top'}: ${issue?.message}`)
  }
  const { subject, predicate } = parsed.data
  const files = predicate.resources.map(({ name, digest }): SignedFile => {
    return { path: name, digest: `sha256:${digest}` }
  })
  if (new Set(files.map(({ path }) => path)).size !== files.length) throw malformed('a file twice')
  const root = rootOf(files.map(({ digest }) => digest))
  const stated: Sha256 = `sha256:${subject[0].digest.sha256}`
  if (stated !== root)
    throw new ModelRefused({ where: 'signed statement, root', observed: stated, expected: root })
  return { name: subject[0].name, root, files, ignored: predicate.serialization.ignore_paths }
}

function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    throw malformed('bytes that are not JSON in UTF-8')
  }
}

function malformed(observed: string): ModelRefused {
  return new ModelRefused({
    where: 'signed statement',
    observed,
    expected: 'an in-toto statement of OpenSSF Model Signing 1.0',
  })
}

function hexOf(digest: Sha256): string {
  return digest.slice('sha256:'.length)
}
