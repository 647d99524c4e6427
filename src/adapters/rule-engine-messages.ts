/** What the rule engine and its processes say to one another. */
import type { FieldPath } from '../policy/rules/cel-tree.ts'
import type { RuleAnswer, RuleInput } from '../policy/rules/rule.ts'

/** A rule without what only people need. */
export type RuleSource =
  | { readonly language: 'cel'; readonly expression: string }
  | {
      readonly language: 'rego'
      readonly wasm: Uint8Array
      readonly sha256: string
      readonly entrypoint: string
      /** Rules that name no TEE are not shown any evidence. */
      readonly readsEvidence: boolean
    }

export type ToWorker =
  /** Answered by one LoadedRule for each rule. */
  | {
      readonly kind: 'load'
      readonly set: number
      readonly rules: readonly RuleSource[]
      /** WebAssembly memory of one Rego rule, in pages of 64 KiB. */
      readonly regoPages: number
    }
  | { readonly kind: 'forget'; readonly set: number }
  /** Answered by one RuleAnswer for each question. */
  | { readonly kind: 'ask'; readonly set: number; readonly questions: readonly Question[] }

export interface Question {
  /** Index into the rules of the set. */
  readonly rule: number
  /** One object for all questions about one input: it is copied and read once. */
  readonly input: RuleInput
}

/** Each answer as soon as there is one, so that those before a rule that never ends are not lost with it. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'item'; readonly item: WorkerItem }
  | { readonly kind: 'done' }

export type LoadedRule =
  /** Undefined: of Rego it is not known, so that everything counts as read. */
  { readonly reads: readonly FieldPath[] | undefined } | { readonly mistake: string }

export type WorkerItem = LoadedRule | RuleAnswer
