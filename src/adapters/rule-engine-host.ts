/**
 * Asks one process about sets of rules. The process forgets whenever it is replaced, and is made to forget what was not asked
 * for long; a set that it does not know is loaded first. A rule that overruns costs its own answer and no other's.
 */
import type { RuleAnswer } from '../policy/rules/rule.ts'
import type { Question, RuleSource, WorkerItem } from './rule-engine-messages.ts'
import type { RuleProcess, Run, Watch } from './rule-engine-process.ts'

export interface RuleSet {
  readonly id: number
  readonly sources: readonly RuleSource[]
}

export interface Asking extends Watch {
  /** How often it goes on after a rule that overran. */
  readonly tries: number
  /** For all tries together, new processes included. */
  readonly wholeMs: number
}

export interface Answered {
  /** One for each question. */
  readonly answers: readonly RuleAnswer[]
  /** Whether the same question would have the same answer again: not if time or memory ran out. */
  readonly lasting: boolean
}

export interface RuleHost {
  /** Compiles. Items are LoadedRules. */
  readonly load: (set: RuleSet) => Promise<Run>
  readonly ask: (set: RuleSet, questions: readonly Question[], asking: Asking) => Promise<Answered>
}

/** Policies that one process holds compiled at a time. */
const MOST_SETS = 32

export interface LoadLimits {
  readonly loadMs: number
  readonly regoPages: number
}

export function ruleHost(worker: RuleProcess, { loadMs, regoPages }: LoadLimits): RuleHost {
  /** The longest unused first. */
  let known = new Set<number>()
  let incarnation = worker.incarnation()

  async function load({ id, sources }: RuleSet): Promise<Run> {
    const watch = { stepMs: loadMs, totalMs: loadMs }
    const run = await worker.run({ kind: 'load', set: id, rules: sources, regoPages }, watch)
    refresh()
    if (run.end === 'done') known.add(id)
    const [oldest] = known
    if (oldest !== undefined && known.size > MOST_SETS) {
      known.delete(oldest)
      worker.tell({ kind: 'forget', set: oldest })
    }
    return run
  }

  function refresh(): void {
    if (worker.incarnation() === incarnation) return
    incarnation = worker.incarnation()
    known = new Set()
  }

  async function once(set: RuleSet, questions: readonly Question[], watch: Watch): Promise<Run> {
    refresh()
    if (known.delete(set.id)) known.add(set.id)
    else {
      const { end } = await load(set)
      if (end !== 'done')
        return {
          items: [],
          end: { died: `the rules could not be loaded: ${reasonOf(end, loadMs)}` },
        }
    }
    return worker.run({ kind: 'ask', set: set.id, questions }, watch)
  }

  return {
    load,
    async ask(set, questions, { tries, stepMs, totalMs, wholeMs }) {
      const endsAt = performance.now() + wholeMs
      const answers: RuleAnswer[] = []
      let lasting = true
      for (let left = tries; left > 0 && answers.length < questions.length; left--) {
        const remaining = endsAt - performance.now()
        if (remaining <= 0) break
        const rest = questions.slice(answers.length)
        const watch = { stepMs, totalMs: Math.min(totalMs, remaining) }
        const { items, end } = await once(set, rest, watch)
        answers.push(...items.filter(isAnswer))
        if (end === 'done') break
        lasting = false
        // Rules are asked in order, so the first without an answer is the one that did not end.
        answers.push({ fault: reasonOf(end, Math.round(Math.min(stepMs, watch.totalMs))) })
      }
      while (answers.length < questions.length) {
        lasting = false
        answers.push({ fault: 'others took all the time there was: make the rules smaller' })
      }
      return { answers: answers.slice(0, questions.length), lasting }
    },
  }
}

export function reasonOf(end: Exclude<Run['end'], 'done'>, ms: number): string {
  return end === 'late' ? `it did not end within ${ms} ms` : end.died
}

function isAnswer(item: WorkerItem): item is RuleAnswer {
  return 'answer' in item || 'fault' in item
}
