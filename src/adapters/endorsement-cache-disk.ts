/**
 * Endorsements on disk. `objects/<sha256 of the contents>` hold parts and are written once; `index/<sha256 of the name>`
 * says which object a name has now. Both appear by rename, so that a kill at any moment leaves the old state or the new
 * one. Every file is named by or carries a hash: what a crash, a full disk or a stranger left is noticed and dropped,
 * which costs one fetch. Several processes may share a folder.
 */
import { createHash } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../service/ports.ts'
import { replaceFile, TEMPORARY_SUFFIX } from './endorsement-cache-file.ts'

export interface DiskEntry {
  readonly name: string
  /** Of the object. */
  readonly sha256: string
  /** In bytes, of the object. */
  readonly size: number
  readonly issuedAt: Date
  readonly fetchedAt: Date
  readonly notAfter: Date
  /** Undefined: what was asked for cannot change before it ends. */
  readonly refreshAt: Date | undefined
}

export interface EndorsementDisk {
  /** Every sound entry. Removes unsound ones, and leftovers of interrupted writes that are old enough to be nobody's. */
  readonly load: () => Promise<readonly DiskEntry[]>
  readonly entryOf: (name: string) => Promise<DiskEntry | undefined>
  /** Contents of the entry's object; undefined, and the entry removed unless it names another by now, when they are not what the entry says. */
  readonly read: (entry: DiskEntry) => Promise<Uint8Array | undefined>
  /** `bytes` must be the contents that `entry` names. */
  readonly write: (entry: DiskEntry, bytes: Uint8Array) => Promise<void>
  readonly removeEntry: (name: string) => Promise<void>
  /** For an object that no entry names any more. */
  readonly removeObject: (sha256: string) => Promise<void>
}

const LARGEST_INDEX_FILE = 4096
/** Another process may be between writing an object and writing the entry that names it. */
const LEFTOVER_AFTER_MS = 3600_000

/** Makes the folders. Rejects with what the file system says when it cannot. */
export async function openDisk(directory: string, clock: Clock): Promise<EndorsementDisk> {
  const objects = join(directory, 'objects')
  const index = join(directory, 'index')
  for (const folder of [objects, index]) await mkdir(folder, { recursive: true, mode: 0o700 })
  const objectPath = (sha256: string) => join(objects, sha256)
  const indexPath = (name: string) => join(index, hexSha256(name))

  async function entryOf(name: string): Promise<DiskEntry | undefined> {
    const entry = decodeEntry(await readSmall(indexPath(name), LARGEST_INDEX_FILE))
    return entry?.name === name ? entry : undefined
  }

  return {
    entryOf,

    async load() {
      const entries: DiskEntry[] = []
      for (const { name: file } of await filesIn(index)) {
        const path = join(index, file)
        const entry = decodeEntry(await readSmall(path, LARGEST_INDEX_FILE))
        const isSound = entry !== undefined && hexSha256(entry.name) === file
        if (isSound && (await sizeOf(objectPath(entry.sha256))) === entry.size) entries.push(entry)
        else if (isSound || !isTemporary(file) || (await isLeftover(path, clock.now())))
          await rm(path, { force: true })
      }
      const named = new Set(entries.map(({ sha256 }) => sha256))
      for (const { name: file } of await filesIn(objects))
        if (!named.has(file) && (await isLeftover(join(objects, file), clock.now())))
          await rm(join(objects, file), { force: true })
      return entries
    },

    async read(entry) {
      const bytes = await readSmall(objectPath(entry.sha256), entry.size)
      if (bytes && hexSha256(bytes) === entry.sha256) return bytes
      // Another process may have put something newer under this name, and removed this: what it wrote is not ours to remove.
      const named = await entryOf(entry.name)
      if (named && named.sha256 !== entry.sha256) return undefined
      await rm(indexPath(entry.name), { force: true })
      await rm(objectPath(entry.sha256), { force: true })
      return undefined
    },

    async write(entry, bytes) {
      await replaceFile(objectPath(entry.sha256), bytes)
      await replaceFile(indexPath(entry.name), encodeEntry(entry))
    },

    removeEntry: (name) => rm(indexPath(name), { force: true }),
    removeObject: (sha256) => rm(objectPath(sha256), { force: true }),
  }
}

const instant = z.iso.datetime().transform((text) => new Date(text))
const entrySchema = z.strictObject({
  name: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().positive(),
  issuedAt: instant,
  fetchedAt: instant,
  notAfter: instant,
  refreshAt: z.nullable(instant).transform((at) => at ?? undefined),
})

/** A hash of the rest comes first: a date that lost a bit would still be a date. */
function encodeEntry(entry: DiskEntry): Uint8Array {
  const text = JSON.stringify({ ...entry, refreshAt: entry.refreshAt ?? null })
  return new TextEncoder().encode(`${hexSha256(text)}\n${text}\n`)
}

function decodeEntry(bytes: Uint8Array | undefined): DiskEntry | undefined {
  if (!bytes) return undefined
  const text = Buffer.from(bytes).toString('utf8')
  const [hash = '', json = ''] = text.split('\n')
  if (text !== `${hash}\n${json}\n` || hexSha256(json) !== hash) return undefined
  try {
    return entrySchema.parse(JSON.parse(json))
  } catch {
    // Written by another version, or by somebody else.
    return undefined
  }
}

/** Undefined when there is no such file or it is larger than `most`. */
async function readSmall(path: string, most: number): Promise<Uint8Array | undefined> {
  const size = await sizeOf(path)
  if (size === undefined || size > most) return undefined
  return await readFile(path).catch(absentIsUndefined)
}

async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(absentIsUndefined)
  return found?.isFile() ? found.size : undefined
}

async function filesIn(folder: string): Promise<readonly Dirent[]> {
  return (await readdir(folder, { withFileTypes: true })).filter((each) => each.isFile())
}

function isTemporary(file: string): boolean {
  return file.endsWith(TEMPORARY_SUFFIX)
}

async function isLeftover(path: string, at: Date): Promise<boolean> {
  const found = await stat(path).catch(absentIsUndefined)
  return found !== undefined && at.getTime() - found.mtimeMs > LEFTOVER_AFTER_MS
}

function absentIsUndefined(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}

function hexSha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
