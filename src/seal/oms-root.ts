/** What does one digest of a whole model go over? OpenSSF Model Signing 1.0, section 6.5.1: SHA-256 of the files' digests, in order. */
import { createHash } from 'node:crypto'

export type Sha256 = `sha256:${string}`

export function sha256Of(...parts: readonly Uint8Array[]): Sha256 {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return `sha256:${hash.digest('hex')}`
}

/** As text says it; undefined for any other spelling. */
export function sha256Text(text: string): Sha256 | undefined {
  return /^sha256:[0-9a-f]{64}$/.test(text) ? (text as Sha256) : undefined
}

export function rootOf(digests: readonly Sha256[]): Sha256 {
  return sha256Of(...digests.map((digest) => Buffer.from(digest.slice('sha256:'.length), 'hex')))
}
