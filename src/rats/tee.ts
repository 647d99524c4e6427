/**
 * The contract that a TEE family fulfils: one value, no class. Shared code reads these properties and never compares a
 * TEE's name. `structure`, `authenticate` and `appraise` are its checks, in the order in which they are always listed.
 */
import type { AnchorSet } from '../pki/anchor.ts'
import type { Check, Refusal, Waivers } from './check.ts'
import type { Endorsements } from './endorsements.ts'
import type { Evidence } from './evidence.ts'
import type { ProofCache } from './proof-cache.ts'
import type { SignatureQuestion, VerifySignature } from './signature-answers.ts'
import type { Assurance } from './trust-vector.ts'

/** A structural expectation: `decode` judges all of them at once and names the one that failed. */
export type StructureRule = Omit<Check<never>, 'judge' | 'waivable'>

export type Decoding<E> = { readonly evidence: E } | { readonly fault: StructureFault }

export interface StructureFault extends Refusal {
  /** The id of one of the TEE's structure rules. */
  readonly id: string
}

/** What `endorse` makes: the vendor's word on this evidence, every rule judged, nothing about the present moment. */
export interface Endorsed {
  /** Simulated when any anchor that was used is; undefined when none was reached. */
  readonly assurance: Assurance | undefined
}

/** What authentication judges. */
export interface Presented<E, N extends Endorsed> {
  readonly evidence: E
  readonly endorsement: N
  readonly at: Date
  readonly verifySignature: VerifySignature
}

/** What appraisal judges: authentic evidence against what somebody expects of it. */
export interface Compared<E, N extends Endorsed, R>
  extends Omit<Presented<E, N>, 'verifySignature'> {
  readonly reference: R
}

export interface EndorseContext {
  readonly endorsements: Endorsements
  readonly anchors: AnchorSet
  readonly proofs: ProofCache
  readonly at: Date
  readonly verifySignature: VerifySignature
}

/** How `--expect NAME=HEX` and manifests name one field of the reference tuple. */
export interface Expectation<R> {
  /** Exact length in bytes. */
  readonly size: number
  readonly apply: (reference: R, value: Uint8Array) => R
}

/** JSON-ready facts of authentic evidence; byte fields in lower-case hex, 64-bit integers as decimal or hex text. */
export type Claims = { readonly [name: string]: ClaimValue }
export type ClaimValue = string | number | boolean | null | readonly ClaimValue[] | Claims

/** `?` after a type: may be null. Objects nest. */
export type ClaimSchema = { readonly [name: string]: ClaimType | ClaimSchema }
export type ClaimType =
  | 'string'
  | 'string?'
  | 'int'
  | 'int?'
  | 'bool'
  | 'bool?'
  | 'list<string>'
  /** Present, but not for rules: it differs with every quote (reportData), so nothing could be remembered. */
  | 'hidden'

export interface EvidenceIdentity {
  /** Kind of hardware, as far as the vendor vouches for it: `AMD_SEV_SNP_GENOA`, `INTEL_TDX`. The claim `att_hw`. */
  readonly hardware: string
  /** What the launch is known by: hex of SNP's measurement, TDX's MRTD, SGX's MRENCLAVE. The index of reference values. */
  readonly launch: string
  /** Hex of every digest of code, configuration or signer in it that is not all zero. */
  readonly digests: readonly string[]
  /** Hex of what names the machine: chip id, PPID, platform instance id, SHA-256 of its certificate. */
  readonly platforms: readonly string[]
  /** Those of `platforms` that other machines have as well: a provider signs with one VLEK for all of its chips. */
  readonly shared?: readonly string[]
}

export interface Tee<E, N extends Endorsed, R> {
  readonly name: string
  readonly mediaTypes: readonly string[]
  readonly structure: readonly StructureRule[]
  readonly authenticate: readonly Check<Presented<E, N>>[]
  readonly appraise: readonly Check<Compared<E, N, R>>[]
  /** Cheap and lenient: whether these bytes are meant as this TEE's evidence, however broken. */
  readonly recognises: (quote: Uint8Array) => boolean
  /** Never throws for received bytes. */
  readonly decode: (evidence: Evidence) => Decoding<E>
  readonly endorse: (evidence: E, context: EndorseContext) => N
  /**
   * The signature whose verification takes so long that a service has it done aside, where its key is known already;
   * undefined for any other evidence, whose signatures are verified where they are judged. Absent: nothing takes that long.
   */
  readonly slowSignature?: (
    evidence: E,
    context: Omit<EndorseContext, 'verifySignature'>,
  ) => SignatureQuestion | undefined
  /** The 64 bytes that the guest chose; undefined where this evidence carries its binding elsewhere. */
  readonly bind: (evidence: E) => Uint8Array | undefined
  /**
   * 48 bytes: the register that a running guest extends by every measurement (transcript.ts), as the quote has it. Absent:
   * this TEE has none. Authentic evidence only.
   */
  readonly runtimeRegister?: (evidence: E) => Uint8Array | undefined
  readonly claims: (evidence: E, endorsement: N) => Claims
  /** The type of everything in `claims` that an operator's rule may look at: per field, what stands there. */
  readonly claimSchema: ClaimSchema
  /** By which names this evidence can be revoked, or found among the reference values. Authentic evidence only. */
  readonly identify: (evidence: E, endorsement: N) => EvidenceIdentity
  /** Every decoded field, unauthenticated: for `inspect` only. */
  readonly inspect: (evidence: E) => Claims
  readonly expectations: Readonly<Record<string, Expectation<R>>>
  /** No expectation at all: what the core checks demand of everybody. */
  readonly noReference: R
  /** Named sets of waivers for what a cloud's machines really look like; `strict` waives nothing. */
  readonly profiles: Readonly<Record<string, Waivers>>
}

// The registry holds TEEs of different evidence types; each value is consistent in itself, which defineTee checks.
// biome-ignore lint/suspicious/noExplicitAny: an existential type, which TypeScript cannot write
export type AnyTee = Tee<any, any, any>

export function defineTee<E, N extends Endorsed, R>(tee: Tee<E, N, R>): Tee<E, N, R> {
  return tee
}
