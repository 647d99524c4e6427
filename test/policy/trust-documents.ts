/** A small valid trust/ as texts, and the ways in which tests change it. Keys are made anew for each run. */
import { generateKeyPairSync } from 'node:crypto'
import type { PolicyFile } from '#src/policy/policy.ts'
import { sshKeyOf, sshKeyText } from '#src/policy/signatures/ssh-key.ts'

export const root = `apiVersion: vouchsafe.dev/v1alpha1
kind: TrustRoot
metadata:
  repository: acme/policy
  generation: 3
spec:
  roles:
    - name: maintainers
      principals: [alice, bob, carol]
      paths: ["**"]
    - name: developers
      principals: [dave]
      paths: ["agents/dev/**", "config/*.json"]
  approvals:
    trust: {threshold: 2, principals: [alice, bob, carol]}
    rules: {threshold: 2, principals: [alice, bob], excludeAuthor: true}
    unrevoke: {threshold: 2, principals: [alice, bob, carol]}
    paths:
      - paths: ["agents/prod/**"]
        threshold: 1
        principals: [carol]
`

export const heartbeatTerms = '  heartbeat: {principals: [clock], grace: 24h, longest: 7d}\n'

const keys = new Map<string, string>()

/** `ssh-ed25519 AAAA...`, the same for the same principal. */
function publicKeyOf(principal: string): string {
  const known = keys.get(principal)
  if (known !== undefined) return known
  const made = sshKeyText(sshKeyOf(generateKeyPairSync('ed25519').publicKey))
  keys.set(principal, made)
  return made
}

export function allowedSigners(...principals: readonly string[]): string {
  return principals.map((principal) => `${principal} ${publicKeyOf(principal)}\n`).join('')
}

export const everybody = allowedSigners('alice', 'bob', 'carol', 'dave', 'clock')

export function file(path: string, content: string | Uint8Array): PolicyFile {
  return { path, bytes: typeof content === 'string' ? new TextEncoder().encode(content) : content }
}

export const trust: readonly PolicyFile[] = [
  file('trust/root.yaml', root),
  file('trust/allowed_signers', everybody),
]

/** Replaces `from`, which must be there, so that a test cannot test nothing. */
export function alteredRoot(from: string, to: string): string {
  if (!root.includes(from)) throw new Error(`the trust root has no ${from}`)
  return root.replace(from, to)
}
