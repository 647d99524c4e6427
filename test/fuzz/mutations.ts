/** Inputs that a parser may meet: random bytes, and real structures with a few things wrong, which reach far deeper. */

export interface Chance {
  /** Uniform in [0, below). */
  readonly int: (below: number) => number
}

/** xorshift128: fast, and the same inputs again from the same seed. */
export function seededChance(seed: number): Chance {
  let [x, y, z, w] = [seed >>> 0 || 1, 362436069, 521288629, 88675123]
  return {
    int(below) {
      const t = x ^ (x << 11)
      x = y
      y = z
      z = w
      w = w ^ (w >>> 19) ^ t ^ (t >>> 8)
      return (w >>> 0) % below
    },
  }
}

const interesting = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x20, 0x30, 0x02]
const lengths = [0, 1, 0x7f, 0x80, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff]

type Mutation = (input: Uint8Array, chance: Chance) => Uint8Array

const mutations: readonly Mutation[] = [
  (input, { int }) => edited(input, (copy) => flip(copy, int(copy.length * 8))),
  (input, { int }) =>
    edited(input, (copy) =>
      copy.fill(interesting[int(interesting.length)] ?? 0, int(copy.length), int(copy.length) + 8),
    ),
  (input, { int }) =>
    edited(input, (copy) => writeLength(copy, int(copy.length), lengths[int(lengths.length)] ?? 0)),
  (input, { int }) => input.slice(0, int(input.length + 1)),
  (input, { int }) => joined(input, new Uint8Array(int(96)).fill(int(2) * 0x41)),
  (input, { int }) => {
    const at = int(input.length + 1)
    return joined(input.subarray(0, at), input.subarray(at + int(16)))
  },
  (input, { int }) => {
    const at = int(input.length + 1)
    const span = input.subarray(int(input.length + 1)).subarray(0, int(64))
    return joined(input.subarray(0, at), span, input.subarray(at))
  },
]

/** One to four mutations of a seed; one input in sixteen is random bytes instead. */
export function mutate(seed: Uint8Array, chance: Chance): Uint8Array {
  if (chance.int(16) === 0) return randomBytes(chance)
  let input = seed
  for (let left = 1 + chance.int(4); left > 0; left--)
    input = mutations[chance.int(mutations.length)]?.(input, chance) ?? input
  return input
}

function randomBytes({ int }: Chance): Uint8Array {
  const bytes = new Uint8Array(int(2048))
  for (let at = 0; at < bytes.length; at++) bytes[at] = int(256)
  return bytes
}

function edited(input: Uint8Array, edit: (copy: Uint8Array) => void): Uint8Array {
  if (input.length === 0) return input
  const copy = input.slice()
  edit(copy)
  return copy
}

function flip(copy: Uint8Array, bit: number): void {
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
}

/** As a little-endian, then as a big-endian 32-bit length, as far as it fits. */
function writeLength(copy: Uint8Array, at: number, value: number): void {
  for (let octet = 0; octet < 4 && at + octet < copy.length; octet++)
    copy[at + octet] = (at & 1 ? value >>> (8 * octet) : value >>> (24 - 8 * octet)) & 0xff
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
