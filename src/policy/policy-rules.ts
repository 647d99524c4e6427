/** Do the rules of a commit compile, and does each answer its own cases as it says? Rules that did not change were asked before. */
import type { ClaimSchema } from '../rats/tee.ts'
import type { FileMistake, PolicyFile } from './policy.ts'
import { digestOf } from './policy-digest.ts'
import { kindOf } from './policy-layout.ts'
import { failingCases } from './rules/cases.ts'
import { readRules } from './rules/read-rules.ts'
import type { PreparedRules, Rule, RuleEngine, RuleMistake } from './rules/rule.ts'

/** Rules that compiled and whose cases hold, and what they were read from. */
export interface KnownRules {
  readonly digest: string
  readonly engine: RuleEngine
  readonly claimSchemas: ReadonlyMap<string, ClaimSchema>
  readonly prepared: PreparedRules
}

export interface RulesRequest extends Omit<KnownRules, 'digest' | 'prepared'> {
  readonly files: readonly PolicyFile[]
  /** Path to SHA-256 in hex, of every file of the commit. */
  readonly digests: ReadonlyMap<string, string>
  readonly known: KnownRules | undefined
}

/** Of the right form; `known` when they are those of before. */
export type RulesReading =
  | { readonly known: KnownRules }
  | { readonly rules: readonly Rule[]; readonly read: Omit<KnownRules, 'prepared'> }
  | { readonly mistakes: readonly FileMistake[] }

export function readPolicyRules(request: RulesRequest): RulesReading {
  const { files, digests, engine, claimSchemas, known } = request
  const own = files.filter(({ path }) => kindOf(path) === 'rules')
  const digest = digestOf(new Map(own.map(({ path }) => [path, digests.get(path) ?? ''])))
  if (known?.digest === digest && known.engine === engine && sameSchemas(known, request))
    return { known }
  const reading = readRules(own, claimSchemas)
  return 'mistakes' in reading
    ? { mistakes: reading.mistakes.map(placed) }
    : { rules: reading.rules, read: { digest, engine, claimSchemas } }
}

/** Compiles and asks; in the engine's own time, not on this thread. */
export async function prepareRules(
  reading: Exclude<RulesReading, { readonly mistakes: readonly FileMistake[] }>,
): Promise<{ readonly known: KnownRules } | { readonly mistakes: readonly FileMistake[] }> {
  if ('known' in reading) return reading
  const preparation = await reading.read.engine.prepare(reading.rules)
  if ('mistakes' in preparation) return { mistakes: preparation.mistakes.map(placed) }
  const { prepared } = preparation
  const failing = await failingCases(prepared)
  return failing.length > 0
    ? { mistakes: failing.map(placed) }
    : { known: { ...reading.read, prepared } }
}

function placed(mistake: RuleMistake): FileMistake {
  return { column: 1, ...mistake }
}

/** Each is a constant of its TEE. */
function sameSchemas(
  { claimSchemas: before }: KnownRules,
  { claimSchemas: now }: RulesRequest,
): boolean {
  return before.size === now.size && [...now].every(([tee, schema]) => before.get(tee) === schema)
}
