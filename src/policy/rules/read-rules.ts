/**
 * What rules does the policy repository hold, and could each of them ever be asked? Every mistake with its line and column.
 * Compiling Rego and asking the cases is for the engine: that happens outside the service's own thread.
 */
import type { ClaimSchema } from '../../rats/tee.ts'
import { readDocument } from '../documents/policy-document.ts'
import type { Mistake, YamlDocument } from '../documents/yaml-document.ts'
import type { PolicyFile } from '../policy.ts'
import { readRule } from './read-rule.ts'
import type { Rule } from './rule.ts'
import { MOST_CASES, MOST_RULES, type RuleEntry, type RuleFile, rulesSchema } from './rule-file.ts'

export interface RuleFileMistake extends Mistake {
  readonly file: string
}

export type RulesReading =
  | { readonly rules: readonly Rule[] }
  | { readonly mistakes: readonly RuleFileMistake[] }

/** Bytes of CEL in all rules together: parsing so much takes up to half a second of the service's own thread. */
const MOST_CEL = 64 * 1024
/** What is no CEL is the slowest to read, and nobody needs more of them at once. */
const MOST_MISTAKES = 20

interface Document {
  readonly file: PolicyFile
  readonly content: RuleFile
  readonly document: YamlDocument
}

interface Found extends Document {
  readonly entry: RuleEntry
  /** Within its file. */
  readonly index: number
}

/** `files` may be a whole repository; only `rules/*.yaml`, and the modules that they name, are looked at. */
export function readRules(
  files: readonly PolicyFile[],
  claimSchemas: ReadonlyMap<string, ClaimSchema>,
): RulesReading {
  const documents: Document[] = []
  const mistakes: RuleFileMistake[] = []
  for (const file of files.filter(({ path }) => /^rules\/[^/]+\.yaml$/.test(path))) {
    const reading = readDocument(file.bytes, rulesSchema)
    if ('mistakes' in reading)
      for (const mistake of reading.mistakes) mistakes.push({ file: file.path, ...mistake })
    else documents.push({ file, content: reading.value, document: reading.document })
  }
  const found = documents.flatMap((each) =>
    each.content.spec.rules.map((entry, index): Found => ({ ...each, entry, index })),
  )
  mistakes.push(...together(found))
  if (mistakes.length > 0) return { mistakes }

  const rules: Rule[] = []
  for (const { file, content, document, entry, index } of found) {
    const fileAt = (path: string) => files.find((each) => each.path === path)?.bytes
    const { inputs = {} } = content.spec
    const read = readRule(entry, { file, document, index, inputs, claimSchemas, fileAt })
    if ('rule' in read) rules.push(read.rule)
    else for (const mistake of read.mistakes) mistakes.push({ file: file.path, ...mistake })
    if (mistakes.length > MOST_MISTAKES) break
  }
  return mistakes.length > 0 ? { mistakes: distinct(mistakes) } : { rules }
}

/** What no file can be blamed for alone. */
function* together(found: readonly Found[]): Generator<RuleFileMistake> {
  const firsts = new Map<string, Found>()
  let cases = 0
  let celBytes = 0
  for (const [count, each] of found.entries()) {
    const { entry, file } = each
    const first = firsts.get(entry.id)
    if (first && first.file !== file)
      yield mistakeAt(each, `the id ${entry.id} is used in ${placeOf(first)} too: choose another`)
    firsts.set(entry.id, first ?? each)
    cases += entry.cases.length
    celBytes += Buffer.byteLength(entry.expression ?? '')
    if (count >= MOST_RULES || cases > MOST_CASES || celBytes > MOST_CEL) {
      yield mistakeAt(
        each,
        `with this rule there are ${count + 1} rules, ${cases} cases and ${celBytes} bytes of CEL in the repository; at most ${MOST_RULES}, ${MOST_CASES} and ${MOST_CEL} are read`,
      )
      return
    }
  }
}

function mistakeAt({ file, document, index }: Found, message: string): RuleFileMistake {
  return { file: file.path, ...document.placeOf(['spec', 'rules', index, 'id']), message }
}

function placeOf({ file, document, index }: Found): string {
  return `${file.path}:${document.placeOf(['spec', 'rules', index]).line}`
}

/** A named input is judged once for every case that begins with it. */
function distinct(mistakes: readonly RuleFileMistake[]): readonly RuleFileMistake[] {
  const seen = new Set<string>()
  return mistakes.filter(({ file, line, column, message }) => {
    const key = `${file}:${line}:${column}:${message}`
    return !seen.has(key) && seen.add(key)
  })
}
