/**
 * What does a WASI program get when it calls its host? The subset of preview 1 that was granted, and ENOSYS or EBADF for the
 * rest. Runs in the plugin’s thread; never node:wasi, which Node documents as no sandbox.
 */
import { randomFillSync } from 'node:crypto'
import { type Grants, hostFunctions, WASI_MODULE } from './capabilities.ts'
import { errno } from './wasi-errno.ts'
import { fileType, wasiFiles } from './wasi-files.ts'
import { guestMemory } from './wasi-memory.ts'
import type { WasmImports, WasmMemory } from './web-assembly.ts'

export interface WasiCall {
  readonly input: Uint8Array
  readonly outputBytes: number
  readonly errorBytes: number
}

export interface Wasi {
  readonly imports: WasmImports
  readonly output: () => Uint8Array
  readonly errors: () => string
  /**
   * How the program said that it is over. The guest may catch what is thrown through it (an instruction of a later version
   * needs no tag for that), so this decides and not what arrives.
   */
  readonly ending: () => Ending | undefined
}

export type Ending =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'too-much-output' }

/** Of one call. More is not chance but work. */
const MOST_RANDOM_BYTES = 1024 * 1024
const MOST_RANDOM_BYTES_AT_ONCE = 65_536
/** `rights`: fd_read, fd_write. */
const STREAM_RIGHTS = [0x2n, 0x40n, 0x40n]
const encoder = new TextEncoder()

class Ended extends Error {}

/** `memory`: of the instance, which does not exist yet when its imports are made. */
export function wasi(grants: Grants, call: WasiCall, memory: () => WasmMemory): Wasi {
  const guest = guestMemory(memory)
  const files = wasiFiles(grants.files, guest)
  const output = boundedBytes(call.outputBytes)
  const errors = boundedBytes(call.errorBytes)
  let inputRead = 0
  let randomMade = 0
  let ending: Ending | undefined

  function end(how: Ending): never {
    ending ??= how
    throw new Ended()
  }

  function list(texts: readonly string[], pointers: number, at: number): number {
    let next = at >>> 0
    for (const [index, text] of texts.entries()) {
      const bytes = encoder.encode(`${text}\0`)
      guest.setU32((pointers >>> 0) + 4 * index, next)
      guest.write(next, bytes)
      next += bytes.length
    }
    return errno.success
  }

  function listSizes(texts: readonly string[], count: number, size: number): number {
    guest.setU32(count, texts.length)
    guest.setU32(
      size,
      texts.reduce((sum, text) => sum + encoder.encode(text).length + 1, 0),
    )
    return errno.success
  }

  const programArguments = ['plugin', ...(grants.arguments ?? [])]
  const variables = Object.entries(grants.environment ?? {}).map(
    ([name, value]) => `${name}=${value}`,
  )

  function coarse(id: number): bigint | undefined {
    const resolution = BigInt(resolutionNs(grants))
    if (id === 0) return ((BigInt(Date.now()) * 1_000_000n) / resolution) * resolution
    if (id === 1) return (BigInt(Math.floor(performance.now() * 1e6)) / resolution) * resolution
    return undefined
  }

  const functions: Readonly<Record<string, (...values: never[]) => number>> = {
    ...files.functions,
    args_get: (pointers: number, at: number) => list(programArguments, pointers, at),
    args_sizes_get: (count: number, size: number) => listSizes(programArguments, count, size),
    environ_get: (pointers: number, at: number) => list(variables, pointers, at),
    environ_sizes_get: (count: number, size: number) => listSizes(variables, count, size),
    fd_close: files.close,
    fd_fdstat_get(fd: number, into: number) {
      const rights = STREAM_RIGHTS[fd]
      const stat = rights === undefined ? files.statOf(fd) : { type: fileType.unknown, rights }
      if (!stat) return errno.badf
      guest.write(into, new Uint8Array(24))
      guest.write(into, Uint8Array.of(stat.type))
      guest.setU64((into >>> 0) + 8, stat.rights)
      return errno.success
    },
    fd_read(fd: number, places: number, count: number, into: number) {
      let taken = 0
      for (const { address, size } of guest.places(places, count)) {
        const part =
          fd === 0 ? call.input.subarray(inputRead, inputRead + size) : files.read(fd, size)
        if (!part) return errno.badf
        guest.write(address, part)
        if (fd === 0) inputRead += part.length
        taken += part.length
      }
      guest.setU32(into, taken)
      return errno.success
    },
    fd_write(fd: number, places: number, count: number, into: number) {
      if (fd !== 1 && fd !== 2) return errno.badf
      let written = 0
      for (const { address, size } of guest.places(places, count)) {
        written += size
        if (fd === 1 && size > output.left()) end({ kind: 'too-much-output' })
        const stream = fd === 1 ? output : errors
        stream.append(guest.read(address, Math.min(size, stream.left())))
      }
      guest.setU32(into, written >>> 0)
      return errno.success
    },
    proc_exit: (code: number) => end({ kind: 'exit', code }),
    sched_yield: () => errno.success,
    clock_time_get(id: number, _precision: bigint, into: number) {
      const time = coarse(id)
      if (time === undefined) return errno.inval
      guest.setU64(into, time)
      return errno.success
    },
    clock_res_get(id: number, into: number) {
      if (id !== 0 && id !== 1) return errno.inval
      guest.setU64(into, BigInt(resolutionNs(grants)))
      return errno.success
    },
    random_get(address: number, length: number) {
      const size = length >>> 0
      randomMade += size
      if (size > MOST_RANDOM_BYTES_AT_ONCE || randomMade > MOST_RANDOM_BYTES) return errno.inval
      guest.write(address, randomFillSync(new Uint8Array(size)))
      return errno.success
    },
  }

  /** Whoever is over gets no further answer, whatever he caught. */
  function hostFunction(name: string): (...values: never[]) => unknown {
    const answer = functions[name]
    return (...values) => {
      if (ending) throw new Ended()
      if (!answer) return errno.nosys
      try {
        return answer(...values)
      } catch (error) {
        if (error instanceof RangeError) return errno.fault
        throw error
      }
    }
  }

  const granted = [...hostFunctions].filter(([, { needs }]) => grants[needs] !== undefined)
  return {
    imports: {
      [WASI_MODULE]: Object.fromEntries(granted.map(([name]) => [name, hostFunction(name)])),
    },
    output: output.bytes,
    errors: () => new TextDecoder().decode(errors.bytes()),
    ending: () => ending,
  }
}

/** Takes as much room as was written, however small the pieces. */
function boundedBytes(most: number) {
  let room = new Uint8Array(Math.min(most, 1_024))
  let size = 0
  return {
    left: () => most - size,
    append(bytes: Uint8Array) {
      if (size + bytes.length > room.length) {
        const larger = new Uint8Array(Math.min(most, 2 * (size + bytes.length)))
        larger.set(room.subarray(0, size))
        room = larger
      }
      room.set(bytes, size)
      size += bytes.length
    },
    bytes: () => room.slice(0, size),
  }
}

function resolutionNs({ clock }: Grants): number {
  return Math.max(1, Math.floor(clock?.resolutionMs ?? 1_000)) * 1_000_000
}
