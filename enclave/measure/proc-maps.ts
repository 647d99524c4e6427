/** Which memory of a process is executable, and of which file? /proc/PID/maps, as proc_pid_maps(5) has it. */
import { closeSync, openSync, readSync } from 'node:fs'
import { codeOf } from './file-digest.ts'

export interface ExecutableMapping {
  /** Addresses: with five levels of page tables they may be above 2^53. */
  readonly start: bigint
  readonly end: bigint
  /** Into the file, in bytes. */
  readonly offset: number
  /** `<device>:<inode>` as the kernel writes them; empty: it belongs to no file. A file system of the agent’s own may number a file 0. */
  readonly file: string
  /** As the kernel writes it, ` (deleted)` at its end included. Empty for memory without a name. */
  readonly path: string
  /** Its name in /proc/PID/map_files. */
  readonly name: string
}

/** vm.max_map_count is 65,530 by default; a line has 70 characters and a path. */
const LARGEST = 32 * 1024 * 1024
const CHUNK = 256 * 1024
const LINE = /^([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+ \d+) *(.*)$/
const NO_FILE = '00:00 0'
/** Mapped by the kernel, and not to be written. */
const KERNEL_MADE = ['[vsyscall]', '[uprobes]']
/** Mapped by the kernel into every process, the same for all; but a process may write to it, and then has its own. */
export const VDSO = '[vdso]'

/** Undefined: the process ended. Throws RangeError for more than anybody maps. */
export function executableMappings(pid: number): readonly ExecutableMapping[] | undefined {
  const text = readMaps(pid)
  return text === undefined ? undefined : mappingsIn(text)
}

export function mappingsIn(text: string): readonly ExecutableMapping[] {
  const found: ExecutableMapping[] = []
  for (const line of text.split('\n')) {
    const [, start = '', end = '', offset = '', file = '', path = ''] = LINE.exec(line) ?? []
    if (start === '' || KERNEL_MADE.includes(path)) continue
    found.push({
      start: BigInt(`0x${start}`),
      end: BigInt(`0x${end}`),
      offset: Number.parseInt(offset, 16),
      file: file === NO_FILE ? '' : file.replace(' ', ':'),
      // seq_file writes a line feed in a name as \012, and nothing else otherwise.
      path,
      name: `${stripped(start)}-${stripped(end)}`,
    })
  }
  return found
}

export function bytesOf({ start, end }: ExecutableMapping): number {
  return Number(end - start)
}

function readMaps(pid: number): string | undefined {
  try {
    const file = openSync(`/proc/${pid}/maps`, 'r')
    try {
      const parts: Buffer[] = []
      for (let size = 0; size <= LARGEST; ) {
        const part = Buffer.allocUnsafe(CHUNK)
        const bytes = readSync(file, part)
        if (bytes === 0) return Buffer.concat(parts).toString('utf8')
        size += bytes
        parts.push(part.subarray(0, bytes))
      }
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    if (['ENOENT', 'ESRCH'].includes(codeOf(cause))) return undefined
    throw cause
  }
  throw new RangeError(`process ${pid} has more than ${LARGEST} bytes of maps`)
}

/** map_files names addresses without leading zeros. */
function stripped(hex: string): string {
  return hex.replace(/^0+(?=.)/, '')
}
