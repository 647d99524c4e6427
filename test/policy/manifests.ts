/** A small valid manifest as text, and the ways in which tests change it. */
import { type ManifestReading, readManifest } from '#src/policy/documents/manifest.ts'
import type { AgentRelease } from '#src/rats/release.ts'

const path = 'agents/prod/invoice-bot.yaml'
export const waivable = new Set(['revocation', 'snp.vmpl.expected'])

export const valid = `apiVersion: vouchsafe.dev/v1alpha1
kind: AgentRelease
metadata:
  name: invoice-bot
  version: "1.8.0"
  generation: 42
  notBefore: 2026-01-01T00:00:00Z
  notAfter: 2027-01-01T00:00:00Z
spec:
  referenceValues:
    - id: milan-4vcpu
      tee: sev-snp
      measurement: sha384:${'a1'.repeat(48)}
  release:
    - audience: kms.example
      ttl: 300s
`

/** Replaces `from`, which must be there, so that a test cannot test nothing. */
export function altered(from: string, to: string): string {
  if (!valid.includes(from)) throw new Error(`the manifest has no ${from}`)
  return valid.replace(from, to)
}

export function read(text: string | Uint8Array, at = path): ManifestReading {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
  return readManifest({ path: at, bytes }, { waivable, fileAt })
}

/** A runtime configuration of the same commit. */
export const config = {
  path: 'config/prod/invoice-bot.json',
  bytes: new TextEncoder().encode(
    `{"image": "registry.example/bot@sha256:${'1a'.repeat(32)}", "model": "sha256:${'2b'.repeat(32)}"}`,
  ),
}

function fileAt(path: string): Uint8Array | undefined {
  return path === config.path ? config.bytes : undefined
}

/** The release that a text without mistakes says. */
export function releaseOf(text: string): AgentRelease {
  const reading = read(text)
  if ('mistakes' in reading) throw new Error(mistakes(text).join('\n'))
  return reading.release
}

/** `line:column message`, one per mistake. */
export function mistakes(text: string | Uint8Array, at = path): readonly string[] {
  const reading = read(text, at)
  return 'mistakes' in reading
    ? reading.mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`)
    : []
}
