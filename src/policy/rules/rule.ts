/**
 * What an operator's rule is, what it may look at, and what may come of it. Engines (CEL, Rego) stand behind one port, so
 * that a rule's language changes nothing for whoever asks.
 */
import type { Datum } from '../../rats/check.ts'
import type { Status } from '../../rats/trust-vector.ts'

export type RuleLanguage = 'cel' | 'rego'

/** `deny` refuses; `warning` lets pass and caps the status at warning. */
export type RuleSeverity = 'deny' | 'warning'

export interface Rule {
  readonly id: string
  readonly language: RuleLanguage
  /** CEL text; undefined for Rego, whose text was compiled. */
  readonly expression: string | undefined
  /** Rego: the compiled module and the rule of it that must be exactly true. */
  readonly module: RegoModule | undefined
  readonly message: string
  readonly severity: RuleSeverity
  /** Only evidence of this TEE is asked, and only then may the rule look at `evidence`. Undefined: every TEE, common fields only. */
  readonly tee: string | undefined
  readonly cases: readonly RuleCase[]
  readonly source: RuleSource
}

export interface RegoModule {
  /** Path in the policy repository. */
  readonly path: string
  /** Hex; the very bytes that are compiled have it. */
  readonly sha256: string
  readonly wasm: Uint8Array
  /** `vouchsafe/allow` */
  readonly entrypoint: string
}

export interface RuleSource {
  readonly file: string
  /** From 1: where the rule begins. */
  readonly line: number
}

/** Runs at every load; a rule has at least one that passes and one that fails. */
export interface RuleCase {
  readonly name: string
  readonly pass: boolean
  /** Complete: what it leaves out is absent when the rule is asked. */
  readonly input: RuleInput
  readonly line: number
}

/** Everything that a rule may look at. Only authentic evidence comes this far, and reportData is not among its claims. */
export interface RuleInput {
  readonly tee: string
  readonly assurance: string
  readonly status: Status | string
  readonly release: {
    readonly environment: string
    readonly agent: string
    readonly version: string
    readonly generation: number
    readonly referenceValue: string
  }
  readonly request: {
    readonly tenant: string
    /**
     * For whom a token is to be. A request for several is asked once for each, and every answer counts. Empty where the
     * request names none and the release allows several, which is refused.
     */
    readonly audience: string
  }
  /** The TEE's claims (Tee.claims), of authentic evidence. */
  readonly evidence: RuleEvidence
}

export type RuleEvidence = { readonly [name: string]: RuleValue }
export type RuleValue =
  | string
  | number
  | boolean
  | null
  | readonly RuleValue[]
  | { readonly [name: string]: RuleValue }

/** `fault`: it could not be asked (an error, a value that is no boolean, out of time), which is a denial whatever the severity. */
export type RuleAnswer =
  | { readonly answer: true }
  | { readonly answer: false; readonly observed: Datum }
  | { readonly fault: string }

/** The rules of one policy, compiled. */
export interface PreparedRules {
  readonly rules: readonly Rule[]
  /** One answer per rule that `tee` lets apply, undefined for the others, in order. Never rejects; ends within its deadline. */
  readonly ask: (input: RuleInput) => Promise<readonly (RuleAnswer | undefined)[]>
  /** The same from memory, where what the rules read was asked before: what a warm appraisal uses. */
  readonly remembered: (input: RuleInput) => readonly (RuleAnswer | undefined)[] | undefined
  /**
   * Each case asked of its own rule and of no other: answers by rule, then by case. Never rejects; ends within the
   * deadline for a whole load, and a case that was not reached by then is a fault.
   */
  readonly askCases: () => Promise<readonly (readonly RuleAnswer[])[]>
}

export type RulePreparation =
  | { readonly prepared: PreparedRules }
  | { readonly mistakes: readonly RuleMistake[] }

export interface RuleMistake {
  readonly file: string
  readonly line: number
  readonly message: string
}

/** Compiles and runs rules outside the service's own thread. Fulfilled by adapters/rule-engine.ts. */
export interface RuleEngine {
  /** Never rejects. Cases are not run here: policy/rules/cases.ts asks them through `ask`. */
  readonly prepare: (rules: readonly Rule[]) => Promise<RulePreparation>
}

/** What another policy service is told beside what a rule may look at: which resource, and from where it was asked for. */
export interface RemoteInput extends RuleInput {
  readonly resource: {
    readonly audience: string
    /** What a token for this audience may be exchanged for. */
    readonly scopes: readonly string[]
  }
  readonly connection: {
    /** As the service sees the peer: a proxy's, where one stands in front. */
    readonly remoteAddress: string
  }
}

/**
 * A policy service of the operator (Open Policy Agent), which he configures per tenant beside the repository's rules.
 * Its finding is `policy.remote.allows`.
 */
export interface RemotePolicy {
  /** Never rejects; a fault is a denial, and comes within its deadline. Nothing is remembered. */
  readonly ask: (input: RemoteInput) => Promise<RuleAnswer>
}
