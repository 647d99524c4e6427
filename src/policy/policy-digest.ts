/** By which digest is the content of a commit known? Our own, for Git's names may rest on SHA-1. */
import { hash } from 'node:crypto'
import type { PolicyFile } from './policy.ts'

/** `sha256:<hex>` over every path and the SHA-256 of its content. */
export function policyDigest(files: readonly PolicyFile[]): string {
  return digestOf(new Map(files.map(({ path, bytes }) => [path, sha256(bytes)])))
}

/** The same over the files under trust/: what a configuration can vouch for. */
export function trustDigest(files: readonly PolicyFile[]): string {
  return policyDigest(files.filter(({ path }) => path.startsWith('trust/')))
}

/** Path to hex of its SHA-256. Lengths keep a path from running into its neighbour; order is by UTF-16 code units, so no locale decides it. */
export function digestOf(digests: ReadonlyMap<string, string>): string {
  const lines = [...digests.keys()]
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((path) => `${Buffer.byteLength(path)}:${path}:${digests.get(path)}\n`)
  return `sha256:${hash('sha256', lines.join(''), 'hex')}`
}

/** Hex. Remembered as long as the bytes are, which nobody writes to: a file that did not change is the same array (git-history.ts). */
export function sha256(bytes: Uint8Array): string {
  const before = known.get(bytes)
  if (before !== undefined) return before
  const digest = hash('sha256', bytes, 'hex')
  known.set(bytes, digest)
  return digest
}

const known = new WeakMap<Uint8Array, string>()
