/**
 * Entry of the processes in which rules are compiled and asked. Whoever started one bounds its time and memory from outside
 * and kills it when it overruns.
 */
import { Worker } from 'node:worker_threads'
import { celInput, celProgram } from '../policy/rules/cel-program.ts'
import type { RuleAnswer, RuleInput } from '../policy/rules/rule.ts'
import type {
  FromWorker,
  LoadedRule,
  RuleSource,
  ToWorker,
  WorkerItem,
} from './rule-engine-messages.ts'
import { regoProgram } from './rule-worker-rego.ts'

type Program = (input: Known) => RuleAnswer | Promise<RuleAnswer>

/** The forms of one input in which rules ask for it, each made when it is first needed. */
interface Known {
  readonly plain: (readsEvidence: boolean) => Partial<RuleInput>
  readonly cel: () => ReturnType<typeof celInput>
}

const sets = new Map<number, readonly (Program | undefined)[]>()

const watch = new URL('./rule-worker-watch.ts', import.meta.url)
new Worker(watch, { workerData: process.ppid }).unref()

process.on('message', (message) => {
  // Only the engine is at the other end. Whatever is thrown ends the process, which is how it is meant.
  void obey(message as ToWorker)
})
post({ kind: 'ready' })

/** Asked one at a time. */
async function obey(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'load': {
      const programs: (Program | undefined)[] = []
      for (const rule of message.rules) programs.push(await load(rule, message.regoPages))
      sets.set(message.set, programs)
      break
    }
    case 'forget':
      sets.delete(message.set)
      return
    case 'ask': {
      const programs = sets.get(message.set)
      const inputs = new Map<RuleInput, Known>()
      for (const { rule, input } of message.questions) {
        const read = inputs.get(input) ?? known(input)
        inputs.set(input, read)
        item((await programs?.[rule]?.(read)) ?? { fault: 'the process does not know this rule' })
      }
      break
    }
  }
  post({ kind: 'done' })
}

async function load(rule: RuleSource, regoPages: number): Promise<Program | undefined> {
  const { loaded, program } = await compile(rule, regoPages)
  item(loaded)
  return program
}

interface Compiled {
  readonly loaded: LoadedRule
  readonly program?: Program
}

async function compile(rule: RuleSource, regoPages: number): Promise<Compiled> {
  if (rule.language === 'cel') {
    const program = celProgram(rule.expression)
    if ('mistake' in program) return { loaded: program }
    return { loaded: { reads: program.reads }, program: ({ cel }) => program.ask(cel()) }
  }
  const program = await regoProgram(rule, regoPages)
  if ('mistake' in program) return { loaded: program }
  return {
    loaded: { reads: undefined },
    program: ({ plain }) => program.ask(plain(rule.readsEvidence)),
  }
}

function known(input: RuleInput): Known {
  let cel: ReturnType<typeof celInput> | undefined
  return {
    plain(readsEvidence) {
      if (readsEvidence) return input
      const { evidence: _, ...rest } = input
      return rest
    },
    cel() {
      cel ??= celInput({ ...input })
      return cel
    },
  }
}

function item(value: WorkerItem): void {
  post({ kind: 'item', item: value })
}

function post(message: FromWorker): void {
  process.send?.(message)
}
