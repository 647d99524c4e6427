/** Where is the log read? From a service, below /v1/log, or from a folder that has the same paths: C2SP tlog-tiles. */
import { LogFault } from '../log/log-fault.ts'
import { TILE_WIDTH, tilePath } from '../log/tile-path.ts'
import { HASH_SIZE } from '../log/tree-hash.ts'
import { Mistake } from './arguments.ts'
import type { LogDeps } from './log-deps.ts'
import { addressOf } from './policy-service.ts'

export interface LogSource {
  /** For people. */
  readonly name: string
  /** Undefined where there is no such file. Throws Mistake where it cannot be told. */
  readonly read: (path: string) => Promise<Uint8Array | undefined>
}

const TIMEOUT_MS = 30_000
/** Bytes: 256 entries of the largest size that a bundle takes would be 16 MiB. */
const LARGEST_FILE = 16 * 1024 * 1024 + 512

export function serviceLog(url: string, { fetch }: Pick<LogDeps, 'fetch'>): LogSource {
  const prefix = addressOf(url, '/v1/log')
  return {
    name: prefix,
    async read(path) {
      const address = `${prefix}/${path}`
      try {
        const response = await fetch(address, {
          redirect: 'error',
          signal: AbortSignal.timeout(TIMEOUT_MS),
        })
        if (response.status === 404) return undefined
        if (response.status !== 200) throw new Error(`it answered ${response.status}`)
        return await bounded(response)
      } catch (cause) {
        throw unread(address, cause)
      }
    },
  }
}

export function folderLog(folder: string, { files }: Pick<LogDeps, 'files'>): LogSource {
  return {
    name: folder,
    async read(path) {
      try {
        return await files.read(`${folder.replace(/\/$/, '')}/${path}`)
      } catch (cause) {
        if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
        throw unread(`${folder}/${path}`, cause)
      }
    },
  }
}

/** Writes down whatever is read, so that it can be read again with nobody there. */
export function copiedTo(
  folder: string,
  source: LogSource,
  { keepFile }: Pick<LogDeps, 'keepFile'>,
): LogSource {
  return {
    name: source.name,
    async read(path) {
      const bytes = await source.read(path)
      if (bytes) await keepFile(`${folder.replace(/\/$/, '')}/${path}`, bytes)
      return bytes
    },
  }
}

/** Throws LogFault where the log does not have the tile that a tree of this size has there. */
export async function hashTile(
  source: LogSource,
  { level, index, size }: { readonly level: number; readonly index: number; readonly size: number },
): Promise<Uint8Array> {
  const width = Math.min(TILE_WIDTH, Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH)
  const bytes = await wideTile(source, { level, index, width })
  if (bytes && bytes.length % HASH_SIZE === 0 && bytes.length >= width * HASH_SIZE)
    return bytes.subarray(0, width * HASH_SIZE)
  throw new LogFault(`${source.name} has no ${tilePath({ level, index, width })} of that width`)
}

/** Of the entries below a tile of level 0. Throws LogFault. */
export async function entryBundle(
  source: LogSource,
  { index, size }: { readonly index: number; readonly size: number },
): Promise<Uint8Array> {
  const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH)
  const bytes = await wideTile(source, { level: 'entries', index, width })
  if (bytes) return bytes
  throw new LogFault(`${source.name} has no ${tilePath({ level: 'entries', index, width })}`)
}

/** A partial tile may be gone once it is full (C2SP tlog-tiles, "Partial Tiles"). */
async function wideTile(
  source: LogSource,
  name: Parameters<typeof tilePath>[0],
): Promise<Uint8Array | undefined> {
  const bytes = await source.read(tilePath(name))
  return bytes ?? (await source.read(tilePath({ ...name, width: TILE_WIDTH })))
}

async function bounded({ body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.length
    if (size > LARGEST_FILE) throw new Error(`it is larger than ${LARGEST_FILE} bytes`)
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

function unread(address: string, cause: unknown): Mistake {
  const why = cause instanceof Error ? (cause.cause ?? cause) : cause
  return new Mistake(
    `${address} cannot be read: ${why instanceof Error ? why.message : why}.`,
    'Check the address or folder, and that the service runs.',
    'file-unreadable',
  )
}
