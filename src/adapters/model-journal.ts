/**
 * Which files of a model were sealed already, when sealing was broken off? One line for each, in a file beside them, written once
 * the sealed file is whole. Nothing secret is in it, and nothing is believed of it that was not written with the key of this model:
 * the digests that stand here become what is signed and what the policy approves, long before anybody opens the model, and
 * whoever owns the storage could name a model of his own.
 */
import { createHmac, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fromBase64Url, toBase64Url, toHex } from '../bytes/encoding.ts'
import { canonicalJson } from '../rats/canonical-json.ts'
import { sealedFileBytes } from '../seal/model-chunk.ts'
import { LONGEST_MANIFEST } from '../seal/model-manifest.ts'
import { sha256Text } from '../seal/oms-root.ts'
import type { SealedDigests } from './model-seal-file.ts'
import { sealedFileName } from './model-source.ts'
import { type TreeFile, unusable } from './model-tree.ts'

const NAME = 'sealing.jsonl'
/** Whoever owns the storage may have put a link there that leads to a file of ours. */
const APPENDED = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW
const FORMAT = 'vouchsafe/sealing/v1'

const beginning = z.strictObject({
  format: z.literal(FORMAT),
  name: z.string(),
  version: z.number(),
  /** Tells keys apart, and nothing about one. */
  key: z.string(),
})

const digest = z.string().transform((text, context) => {
  const read = sha256Text(text)
  if (!read) context.addIssue('must be sha256:<hex>')
  return read ?? z.NEVER
})

/** What is no Unicode has no one form to authenticate. */
const text = z.string().refine((value) => value.isWellFormed())

const finished = z.strictObject({
  index: z.number(),
  path: text,
  bytes: z.number(),
  modified: text,
  digest,
  sealed: digest,
  /** HMAC-SHA-256 over all of it, and over which model it is of. A line without one is none. */
  seal: z.string(),
})
type Finished = z.output<typeof finished>

export interface Sealing {
  readonly name: string
  readonly version: number
  readonly modelKey: KeyObject
}

export interface Journal {
  /** Of a file that was sealed before, as it is now, at this place. */
  readonly finished: (index: number, file: TreeFile) => Promise<SealedDigests | undefined>
  readonly finish: (index: number, file: TreeFile, digests: SealedDigests) => Promise<void>
  readonly close: () => Promise<void>
  /** Once there is a manifest. */
  readonly remove: () => Promise<void>
}

export async function hasJournal(folder: string): Promise<boolean> {
  return (await textOf(folder)) !== undefined
}

/** Throws Problem('model-unusable') for one of another model, version or key. */
export async function openJournal(folder: string, sealing: Sealing): Promise<Journal> {
  const begun = await textOf(folder)
  const lines = begun === undefined ? [] : linesOf(begun)
  const first = { format: FORMAT, ...named(sealing) } as const
  if (lines.length > 0) assertSame(lines[0], first, folder)
  const known = new Map(
    lines.slice(1).flatMap((line) => {
      const { data } = finished.safeParse(jsonOf(line))
      return data && isSealed(data, sealing) ? [[data.index, data] as const] : []
    }),
  )
  const file = await open(join(folder, NAME), APPENDED, 0o600)
  const append = async (entry: object) => {
    await file.appendFile(`${JSON.stringify(entry)}\n`)
    await file.sync()
  }
  if (lines.length === 0) await append(first)
  // A line that was cut off while it was written ends here, and is none.
  else if (!begun?.endsWith('\n')) await file.appendFile('\n')
  return {
    async finished(index, { path, bytes, modified }) {
      const entry = known.get(index)
      if (entry?.path !== path || entry.bytes !== bytes || entry.modified !== modified)
        return undefined
      const state = await stat(join(folder, sealedFileName(index))).catch(() => undefined)
      return state?.isFile() && state.size === sealedFileBytes(bytes)
        ? { digest: entry.digest, sealed: entry.sealed }
        : undefined
    },
    async finish(index, { path, bytes, modified }, digests) {
      const entry = { index, path, bytes, modified, ...digests }
      await append({ ...entry, seal: toBase64Url(sealOf(entry, sealing)) })
    },
    close: async () => await file.close(),
    remove: async () => await rm(join(folder, NAME), { force: true }),
  }
}

function named({ name, version, modelKey }: Sealing) {
  const key = toHex(new Uint8Array(hkdfSync('sha256', modelKey, '', `${FORMAT} which key`, 8)))
  return { name, version, key }
}

function isSealed({ seal, ...entry }: Finished, sealing: Sealing): boolean {
  const found = fromBase64Url(seal)
  const wanted = sealOf(entry, sealing)
  return found?.length === wanted.length && timingSafeEqual(found, wanted)
}

function sealOf(
  { index, path, bytes, modified, digest, sealed }: Omit<Finished, 'seal'>,
  { name, version, modelKey }: Sealing,
): Uint8Array {
  const key = hkdfSync('sha256', modelKey, '', `${FORMAT} journal`, 32)
  const said = canonicalJson({
    ...{ name, version: `${version}`, index: `${index}`, path, bytes: `${bytes}` },
    ...{ modified, digest, sealed },
  })
  return createHmac('sha256', Buffer.from(key)).update(said).digest()
}

function assertSame(line: string | undefined, wanted: z.infer<typeof beginning>, folder: string) {
  const { data } = beginning.safeParse(jsonOf(line ?? ''))
  if (!data) throw unusable(`${join(folder, NAME)} is not what it should be: remove ${folder}`)
  for (const member of ['name', 'version', 'key'] as const)
    if (data[member] !== wanted[member])
      throw unusable(
        `${folder} was begun with another ${member}${member === 'key' ? '' : ` (${data[member]})`}: give the same, or another folder`,
      )
}

async function textOf(folder: string): Promise<string | undefined> {
  try {
    const state = await stat(join(folder, NAME))
    if (state.size > LONGEST_MANIFEST) throw unusable(`${join(folder, NAME)} is too large`)
    return await readFile(join(folder, NAME), 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw cause
  }
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '')
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
