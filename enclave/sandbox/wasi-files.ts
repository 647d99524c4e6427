/**
 * Which files does a WASI program see? Those that were granted as bytes, under one preopened directory, to be read. No path
 * reaches the machine: a name is looked up in a map, and `..` beyond the root is ENOTCAPABLE.
 */
import { errno } from './wasi-errno.ts'
import type { GuestMemory } from './wasi-memory.ts'

/** Descriptors 0, 1 and 2 are the streams. */
const ROOT = 3
const ROOT_NAME = new TextEncoder().encode('/')
const MOST_OPEN = 64
const LONGEST_PATH = 1_024
/** `oflags`. */
const CREATE_EXCLUSIVE_TRUNCATE = 1 | 4 | 8
const DIRECTORY = 2
/** `rights`: fd_read, fd_seek, fd_tell, fd_filestat_get; fd_write. */
const READING = 0x2n | 0x4n | 0x20n | 0x20_0000n
const WRITING = 0x40n
export const fileType = { unknown: 0, directory: 3, regular: 4 } as const

interface OpenFile {
  readonly content: Uint8Array
  position: number
}

export interface WasiFiles {
  readonly functions: Readonly<Record<string, (...values: never[]) => number>>
  /** Undefined: no such descriptor. */
  readonly statOf: (fd: number) => { readonly type: number; readonly rights: bigint } | undefined
  /** Undefined: it is no open file. */
  readonly read: (fd: number, size: number) => Uint8Array | undefined
  readonly close: (fd: number) => number
}

/** `files`: paths as granted. Undefined: there is no directory either. */
export function wasiFiles(
  files: Readonly<Record<string, Uint8Array>> | undefined,
  memory: GuestMemory,
): WasiFiles {
  const contents = new Map(Object.entries(files ?? {}))
  const open = new Map<number, OpenFile>()

  /** The file at a path of the guest, or why there is none. */
  function lookUp(fd: number, address: number, length: number): Uint8Array | number {
    if (!files || fd !== ROOT) return errno.badf
    if (length >>> 0 > LONGEST_PATH) return errno.nametoolong
    const path = resolved(new TextDecoder().decode(memory.read(address, length)))
    if (path === undefined) return errno.notcapable
    const content = contents.get(path)
    if (content) return content
    const isDirectory =
      path === '' || [...contents.keys()].some((each) => each.startsWith(`${path}/`))
    return isDirectory ? errno.isdir : errno.noent
  }

  function setStat(address: number, type: number, size: number): number {
    memory.write(address, new Uint8Array(64))
    memory.write((address >>> 0) + 16, Uint8Array.of(type))
    memory.setU64((address >>> 0) + 24, 1n)
    memory.setU64((address >>> 0) + 32, BigInt(size))
    return errno.success
  }

  function moved(fd: number, offset: bigint, whence: number): number | bigint {
    const file = open.get(fd)
    if (!file) return fd < ROOT ? errno.spipe : errno.badf
    const from = [0, file.position, file.content.length][whence]
    if (from === undefined) return errno.inval
    const to = BigInt(from) + offset
    if (to < 0n || to > BigInt(Number.MAX_SAFE_INTEGER)) return errno.inval
    file.position = Number(to)
    return to
  }

  return {
    functions: {
      fd_prestat_get(fd: number, address: number) {
        if (!files || fd !== ROOT) return errno.badf
        memory.setU32(address, 0)
        memory.setU32((address >>> 0) + 4, ROOT_NAME.length)
        return errno.success
      },
      fd_prestat_dir_name(fd: number, address: number, length: number) {
        if (!files || fd !== ROOT) return errno.badf
        if (length >>> 0 < ROOT_NAME.length) return errno.nametoolong
        memory.write(address, ROOT_NAME)
        return errno.success
      },
      path_open(
        fd: number,
        _lookup: number,
        address: number,
        length: number,
        how: number,
        rights: bigint,
        _inherited: bigint,
        _flags: number,
        opened: number,
      ) {
        const content = lookUp(fd, address, length)
        if (how & CREATE_EXCLUSIVE_TRUNCATE || rights & WRITING) return errno.rofs
        if (typeof content === 'number') return content
        if (how & DIRECTORY) return errno.notdir
        const free = Array.from({ length: MOST_OPEN }, (_, i) => ROOT + 1 + i).find(
          (each) => !open.has(each),
        )
        if (free === undefined) return errno.mfile
        memory.setU32(opened, free)
        open.set(free, { content, position: 0 })
        return errno.success
      },
      path_filestat_get(
        fd: number,
        _lookup: number,
        address: number,
        length: number,
        into: number,
      ) {
        const content = lookUp(fd, address, length)
        if (content === errno.isdir) return setStat(into, fileType.directory, 0)
        if (typeof content === 'number') return content
        return setStat(into, fileType.regular, content.length)
      },
      fd_filestat_get(fd: number, into: number) {
        const file = open.get(fd)
        if (file) return setStat(into, fileType.regular, file.content.length)
        if (fd === ROOT && files) return setStat(into, fileType.directory, 0)
        return fd >= 0 && fd < ROOT ? setStat(into, fileType.unknown, 0) : errno.badf
      },
      fd_seek(fd: number, offset: bigint, whence: number, into: number) {
        const to = moved(fd, offset, whence)
        if (typeof to === 'number') return to
        memory.setU64(into, to)
        return errno.success
      },
      fd_tell(fd: number, into: number) {
        const to = moved(fd, 0n, 1)
        if (typeof to === 'number') return to
        memory.setU64(into, to)
        return errno.success
      },
      fd_pread(fd: number, places: number, count: number, offset: bigint, into: number) {
        const file = open.get(fd)
        if (!file) return fd < ROOT ? errno.spipe : errno.badf
        // i64 arrives signed; what lies beyond the end reads as nothing.
        let at = offset < 0n || offset > file.content.length ? file.content.length : Number(offset)
        const start = at
        for (const place of memory.places(places, count)) {
          const part = file.content.subarray(at, at + place.size)
          memory.write(place.address, part)
          at += part.length
        }
        memory.setU32(into, at - start)
        return errno.success
      },
    },
    statOf(fd) {
      if (open.has(fd)) return { type: fileType.regular, rights: READING }
      // fd_readdir is not among them: what is there is known to whoever granted it.
      if (fd === ROOT && files) return { type: fileType.directory, rights: 0x2000n | 0x4_0000n }
      return undefined
    },
    read(fd, size) {
      const file = open.get(fd)
      if (!file) return undefined
      const part = file.content.subarray(file.position, file.position + size)
      file.position += part.length
      return part
    },
    close: (fd) => (open.delete(fd) || (fd >= 0 && fd < ROOT) ? errno.success : errno.badf),
  }
}

/** Without leading slash. Undefined: it leads out of the root. */
function resolved(path: string): string | undefined {
  const at: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') {
      if (at.pop() === undefined) return undefined
    } else if (part !== '' && part !== '.') at.push(part)
  }
  return at.join('/')
}
