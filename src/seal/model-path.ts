/**
 * What may a file of a model be called? Names in a manifest are written by whoever stored it: they must lead to a place below the
 * folder that a model is opened into, on every file system, and no two of them to the same.
 */
const LONGEST_PATH_BYTES = 512
const LONGEST_NAME_BYTES = 255
const DEEPEST = 16

/** Undefined, or what is wrong with it. */
export function faultOfPath(path: string): string | undefined {
  if (!path.isWellFormed()) return 'a lone surrogate'
  if (Buffer.byteLength(path) > LONGEST_PATH_BYTES) return `more than ${LONGEST_PATH_BYTES} bytes`
  if (path !== path.normalize('NFC')) return 'characters that are not composed (NFC)'
  // A colon names streams of a file elsewhere, and ranges of a file in OpenSSF Model Signing.
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\:]/u.test(path))
    return 'a control or format character, a backslash or a colon'
  const names = path.split('/')
  if (names.length > DEEPEST) return `more than ${DEEPEST} levels`
  for (const name of names) {
    if (name === '') return 'an empty name'
    if (name === '.' || name === '..') return `the name ${name}`
    if (Buffer.byteLength(name) > LONGEST_NAME_BYTES)
      return `a name of more than ${LONGEST_NAME_BYTES} bytes`
  }
  return undefined
}

/**
 * Undefined, or which two cannot stand beside one another: the same name, names that differ in case alone, or a file where
 * another has a folder. A file system that does not tell cases apart would let one take the place of the other.
 */
export function collisionAmong(paths: readonly string[]): readonly [string, string] | undefined {
  const files = new Map<string, string>()
  const folders = new Map<string, string>()
  for (const path of paths) {
    const file = folded(path)
    const taken = files.get(file) ?? folders.get(file)
    if (taken !== undefined) return [taken, path]
    files.set(file, path)
    for (const folder of foldersOf(path)) {
      const key = folded(folder)
      const other = files.get(key) ?? folders.get(key)
      if (other !== undefined && other !== folder) return [other, path]
      if (files.has(key)) return [folder, path]
      folders.set(key, folder)
    }
  }
  return undefined
}

/** OpenSSF Model Signing 1.0, section 5.2.1: by Unicode code point, which is the order of UTF-8 and not that of `<`. */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function foldersOf(path: string): readonly string[] {
  const names = path.split('/')
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join('/'))
}

function folded(path: string): string {
  return path.toUpperCase().toLowerCase().normalize('NFC')
}
