/** What an AgentRelease manifest says once it has been read: which evidence is an agent's, and what that agent may be given. */
import type { Waivers } from './check.ts'
import type { SgxReference, SnpReference, TdxReference } from './reference-values.ts'

export interface AgentRelease {
  readonly environment: string
  readonly agent: string
  readonly version: string
  /** Rises with every release of this agent in this environment. */
  readonly generation: number
  readonly notBefore: Date
  readonly notAfter: Date
  /** Evidence matches one of them as a whole; fields of different entries never mix. */
  readonly referenceValues: readonly ReferenceValue[]
  readonly waivers: Waivers
  readonly rules: readonly ReleaseRule[]
  readonly manifest: ManifestSource
}

/** `tee` is a TEE descriptor's name, and `reference` what that TEE's checks compare with. */
export type ReferenceValue = {
  readonly id: string
  /** Line of the manifest on which the entry begins, from 1. */
  readonly line: number
} & (
  | { readonly tee: 'sev-snp'; readonly reference: SnpReference }
  | { readonly tee: 'tdx'; readonly reference: TdxReference }
  | { readonly tee: 'sgx'; readonly reference: SgxReference }
)

export interface ReleaseRule {
  readonly audience: string
  readonly tokenTtlSeconds: number
}

interface ManifestSource {
  /** From the root of the policy repository. */
  readonly file: string
  /** SHA-256 of the file's bytes, hex. */
  readonly sha256: string
}
