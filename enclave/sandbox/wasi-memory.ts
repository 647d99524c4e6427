/** How is a guest’s memory read and written? Addresses come from the guest: whatever is not wholly inside throws RangeError. */
import type { WasmMemory } from './web-assembly.ts'

export interface GuestMemory {
  /** A copy: the guest may not change it while it is looked at. */
  readonly read: (address: number, size: number) => Uint8Array
  readonly write: (address: number, bytes: Uint8Array) => void
  readonly u32: (address: number) => number
  readonly setU32: (address: number, value: number) => void
  readonly setU64: (address: number, value: bigint) => void
  /** Of an array of `iovec`s, as places. */
  readonly places: (address: number, count: number) => readonly GuestPlace[]
}

export interface GuestPlace {
  readonly address: number
  readonly size: number
}

const MOST_PLACES = 1_024

/** The buffer is asked for at each access: it is another one after the guest grew its memory. */
export function guestMemory(memory: () => WasmMemory): GuestMemory {
  // i32 values arrive signed. DataView itself throws RangeError.
  const view = (address: number, size: number) =>
    new DataView(memory().buffer, address >>> 0, size >>> 0)
  const bytes = (address: number, size: number) => {
    const { buffer, byteOffset, byteLength } = view(address, size)
    return new Uint8Array(buffer, byteOffset, byteLength)
  }
  const u32 = (address: number) => view(address, 4).getUint32(0, true)
  return {
    read: (address, size) => bytes(address, size).slice(),
    write(address, content) {
      bytes(address, content.length).set(content)
    },
    u32,
    setU32(address, value) {
      view(address, 4).setUint32(0, value, true)
    },
    setU64(address, value) {
      view(address, 8).setBigUint64(0, value, true)
    },
    places(address, count) {
      if (count >>> 0 > MOST_PLACES) throw new RangeError(`${count >>> 0} places`)
      return Array.from({ length: count }, (_, i) => {
        const at = (address >>> 0) + 8 * i
        return { address: u32(at), size: u32(at + 4) }
      })
    },
  }
}
