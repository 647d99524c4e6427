/**
 * How are operators' rules compiled and asked without trusting them with the service's own time? In processes of their own,
 * which are killed when they overrun; and from memory, where what the rules read was asked before.
 */
import type { FieldPath } from '../policy/rules/cel-tree.ts'
import type { PreparedRules, Rule, RuleEngine, RuleMistake } from '../policy/rules/rule.ts'
import { type Asking, type RuleSet, reasonOf, ruleHost } from './rule-engine-host.ts'
import type { RuleSource, WorkerItem } from './rule-engine-messages.ts'
import { preparedRules } from './rule-engine-prepared.ts'
import { type Run, ruleProcess } from './rule-engine-process.ts'
import { ruleQueue } from './rule-engine-queue.ts'

export interface RuleEngineSettings {
  /** For all rules that are asked about one input; and for each case. */
  readonly inputMs: number
  /** For all rules of a policy to be compiled; and again for all their cases. */
  readonly loadMs: number
  /** For a request's turn to come. */
  readonly waitMs: number
  /** Requests of one policy that wait. */
  readonly mostWaiting: number
  /** Inputs whose answers one policy remembers. */
  readonly remembered: number
  /** Of one process. */
  readonly heapMb: number
  /** WebAssembly memory of one Rego rule, in pages of 64 KiB. */
  readonly regoPages: number
  /** For a new process to be there. */
  readonly startMs: number
}

const defaults: RuleEngineSettings = {
  inputMs: 100,
  loadMs: 2_000,
  waitMs: 1_000,
  mostWaiting: 64,
  remembered: 4_096,
  heapMb: 64,
  regoPages: 256,
  startMs: 5_000,
}

/** Starts no process before there is a rule. An answer takes at most waitMs and twice inputMs, and once startMs and loadMs after a process was replaced. */
export function openRuleEngine(
  settings: Partial<RuleEngineSettings> = {},
): RuleEngine & { readonly close: () => Promise<void> } {
  const limits = { ...defaults, ...settings }
  const { inputMs, loadMs, waitMs, mostWaiting, remembered } = limits
  const workers = [ruleProcess(limits), ruleProcess(limits)] as const
  const queue = ruleQueue(
    { answering: ruleHost(workers[0], limits), loading: ruleHost(workers[1], limits) },
    { mostWaiting, longestWaitMs: waitMs },
  )
  /** Once more for the others where one overran, and not again: those who wait are waiting for this. */
  const asking: Asking = { stepMs: inputMs, totalMs: inputMs, wholeMs: Infinity, tries: 2 }
  // Nobody waits for a case, and the first one of a new process is slow: a busy machine must not refuse a sound commit.
  const askingCases: Asking = { stepMs: inputMs * 5, totalMs: loadMs, wholeMs: loadMs, tries: 20 }
  let sets = 0

  return {
    async prepare(rules) {
      const set: RuleSet = { id: sets++, sources: rules.map(sourceOf) }
      const loading = rules.length > 0 ? await queue.load((host) => host.load(set)) : nothing
      const mistakes = mistakesOf(rules, loading, loadMs)
      if (mistakes.length > 0) return { mistakes }
      const prepared: PreparedRules = preparedRules({
        rules,
        reads: loading.items.map(readsOf),
        limit: remembered,
        ask: (questions) => queue.ask(set, (host) => host.ask(set, questions, asking)),
        askCases: (questions) => queue.load((host) => host.ask(set, questions, askingCases)),
      })
      return { prepared }
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close()))
    },
  }
}

const nothing: Run = { items: [], end: 'done' }

function sourceOf({ expression, module, tee }: Rule): RuleSource {
  if (!module) return { language: 'cel', expression: expression ?? '' }
  const { wasm, sha256, entrypoint } = module
  return { language: 'rego', wasm, sha256, entrypoint, readsEvidence: tee !== undefined }
}

function mistakesOf(
  rules: readonly Rule[],
  { items, end }: Run,
  loadMs: number,
): readonly RuleMistake[] {
  return rules.flatMap(({ id, source }, index) => {
    const at = { file: source.file, line: source.line }
    const item = items[index]
    if (item && 'mistake' in item) return [{ ...at, message: `rule ${id}: ${item.mistake}` }]
    // Compiled in order: what comes after the one that did not end cannot be helped.
    if (item || end === 'done' || index > items.length) return []
    return [{ ...at, message: `rule ${id} could not be compiled: ${reasonOf(end, loadMs)}` }]
  })
}

function readsOf(item: WorkerItem): readonly FieldPath[] | undefined {
  return 'reads' in item ? item.reads : undefined
}
