/**
 * What lies in a folder, by path, kind and digest: what `vouchsafe measure tree` approves and what the collector of the agent
 * finds there. Files are read in full and once; links are measured as links, by where they say that they lead.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, readlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { replaceFile } from './endorsement-cache-file.ts'

export interface TreeRequest {
  readonly folder: string
  /** Paths from `folder` on that are left out, with everything below them. */
  readonly except: readonly string[]
}

export interface TreeFile {
  /** From `folder` on, with forward slashes. */
  readonly path: string
  /** By what it is: a program, a shared object, anything else. */
  readonly kind: 'executable' | 'library' | 'code'
  /** `sha256:<hex>` */
  readonly digest: string
}

export interface MeasuredTree {
  readonly files: readonly TreeFile[]
  readonly bytes: number
  /** Sockets, devices and pipes: nobody can measure them. */
  readonly unmeasurable: readonly string[]
}

export interface TreeStep {
  readonly path: string
  /** Bytes. */
  readonly done: number
  readonly total: number
}

const CHUNK = 1024 * 1024
const DEEPEST = 64
const MOST_FILES = 1_000_000

/** Rejects with the system's error. */
export async function measureTree(
  request: TreeRequest,
  told: (step: TreeStep) => void,
): Promise<MeasuredTree> {
  const found = await foundIn(request)
  const total = found.files.reduce((sum, { size }) => sum + size, 0)
  const files: TreeFile[] = []
  const buffer = new Uint8Array(CHUNK)
  let done = 0
  for (const { path, size, isLink } of found.files) {
    const place = join(request.folder, path)
    files.push({ path, ...(isLink ? await linkAt(place) : await fileAt(place, buffer)) })
    done += size
    told({ path, done, total })
  }
  return { files, bytes: total, unmeasurable: found.others }
}

/** For everybody to read, as what is committed is. */
export async function writeList(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await replaceFile(path, Buffer.from(text), 0o644)
}

interface Found {
  readonly path: string
  readonly size: number
  readonly isLink: boolean
}

async function foundIn({ folder, except }: TreeRequest) {
  const files: Found[] = []
  const others: string[] = []
  const left = new Set(except)
  for (const folders = [{ path: '', depth: 0 }]; folders.length > 0; ) {
    const { path: parent, depth } = folders.pop() ?? { path: '', depth: 0 }
    if (depth > DEEPEST) throw new Error(`${parent} lies more than ${DEEPEST} folders deep`)
    for (const name of await readdir(join(folder, parent))) {
      const path = parent === '' ? name : `${parent}/${name}`
      if (left.has(path)) continue
      const stats = await lstat(join(folder, path))
      if (stats.isDirectory()) folders.push({ path, depth: depth + 1 })
      else if (stats.isSymbolicLink()) files.push({ path, size: 0, isLink: true })
      else if (stats.isFile()) files.push({ path, size: stats.size, isLink: false })
      else others.push(path)
    }
    if (files.length > MOST_FILES) throw new Error(`it holds more than ${MOST_FILES} files`)
  }
  return { files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)), others }
}

/** As enclave/measure/tree.ts measures one: it has no content but this. */
async function linkAt(place: string): Promise<Omit<TreeFile, 'path'>> {
  const hash = createHash('sha256').update(`symlink\0${await readlink(place)}`)
  return { kind: 'code', digest: `sha256:${hash.digest('hex')}` }
}

async function fileAt(place: string, buffer: Uint8Array): Promise<Omit<TreeFile, 'path'>> {
  // What was a file a moment ago may be a link or a pipe by now.
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const { mode } = await file.stat()
    const hash = createHash('sha256')
    let kind: TreeFile['kind'] | undefined
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK, null)
      const read = buffer.subarray(0, bytesRead)
      kind ??= kindOf(read, { isStartable: (mode & 0o111) !== 0, place })
      if (bytesRead === 0) break
      hash.update(read)
    }
    return { kind, digest: `sha256:${hash.digest('hex')}` }
  } finally {
    await file.close()
  }
}

const ELF = 0x464c457f
const ET_EXEC = 2
const ET_DYN = 3

/** ELF, e_type at 16, in the byte order that byte 5 states. Programs that may lie anywhere are shared objects to ELF: name and mode tell. */
function kindOf(
  start: Uint8Array,
  { isStartable, place }: { readonly isStartable: boolean; readonly place: string },
): TreeFile['kind'] {
  if (start.length >= 2 && start[0] === 0x23 && start[1] === 0x21)
    return isStartable ? 'executable' : 'code'
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength)
  if (start.length < 64 || view.getUint32(0, true) !== ELF) return 'code'
  const type = view.getUint16(16, start[5] === 1)
  if (type === ET_EXEC) return 'executable'
  if (type !== ET_DYN) return 'code'
  return isStartable && !/\.(so(\.[\w.]+)?|node)$/.test(place) ? 'executable' : 'library'
}
