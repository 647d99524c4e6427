/** Where is a tile found? C2SP tlog-tiles, "Merkle Tree" and "Log entries": `tile/<L>/<N>[.p/<W>]`, `tile/entries/<N>[.p/<W>]`. */

/** Hashes, or entries, in a full tile; a tile spans eight levels of the tree. */
export const TILE_WIDTH = 256
export const TILE_HEIGHT = 8

export interface TileName {
  /** `entries`: the bundle of entries below the tile of level 0. */
  readonly level: number | 'entries'
  readonly index: number
  /** From 1 to 256, which is a full tile. */
  readonly width: number
}

/** Below the prefix of the log, without a slash before it. */
export function tilePath({ level, index, width }: TileName): string {
  const digits = String(index)
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0')
  const groups = padded.match(/\d{3}/g) ?? []
  const elements = groups.map((group, n) => (n < groups.length - 1 ? `x${group}` : group))
  const partial = width < TILE_WIDTH ? `.p/${width}` : ''
  return `tile/${level}/${elements.join('/')}${partial}`
}

const LEVEL = /^(?:entries|0|[1-5]?[0-9]|6[0-3])$/
/** At most five groups: beyond that the index is no exact number any more. */
const INDEX = /^((?:x\d{3}\/){0,4})(\d{3})(?:\.p\/([1-9]\d{0,2}))?$/

/** `rest`: what follows the level and its slash. Undefined for any other spelling than the one of `tilePath`. */
export function parseTilePath(level: string, rest: string): TileName | undefined {
  const match = INDEX.exec(rest)
  if (!LEVEL.test(level) || !match) return undefined
  const [, upper = '', last = '', partial] = match
  const index = Number(`${upper.replace(/[x/]/g, '')}${last}`)
  const width = partial === undefined ? TILE_WIDTH : Number(partial)
  const name = { level: level === 'entries' ? level : Number(level), index, width } as const
  return width <= TILE_WIDTH && tilePath(name) === `tile/${level}/${rest}` ? name : undefined
}
