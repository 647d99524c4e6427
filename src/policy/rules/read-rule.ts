/** What does one entry of a rules file say, and could it ever be asked? */
import { createHash } from 'node:crypto'
import type { ClaimSchema } from '../../rats/tee.ts'
import type { Mistake, YamlDocument } from '../documents/yaml-document.ts'
import type { PolicyFile } from '../policy.ts'
import { type CaseContext, readCaseInput } from './case-input.ts'
import { celMistakes } from './cel-check.ts'
import { placeInFile } from './cel-place.ts'
import type { RegoModule, Rule, RuleCase, RuleInput } from './rule.ts'
import type { RuleEntry } from './rule-file.ts'
import { ruleVariables } from './rule-variables.ts'

export interface RuleContext {
  readonly file: PolicyFile
  readonly document: YamlDocument
  /** Of the entry within its file. */
  readonly index: number
  readonly inputs: CaseContext['inputs']
  readonly claimSchemas: ReadonlyMap<string, ClaimSchema>
  readonly fileAt: (path: string) => Uint8Array | undefined
}

/** Bytes. OPA's own runtime is about 130 KiB of every module. */
const LARGEST_MODULE = 1024 * 1024

export function readRule(
  entry: RuleEntry,
  context: RuleContext,
): { readonly rule: Rule } | { readonly mistakes: readonly Mistake[] } {
  const { document, index, file, claimSchemas } = context
  const path = ['spec', 'rules', index]
  const { tee } = entry
  if (tee !== undefined && !claimSchemas.has(tee))
    return {
      mistakes: [
        {
          ...document.placeOf([...path, 'tee']),
          message: `there is no TEE ${tee}; there are ${[...claimSchemas.keys()].join(', ')}`,
        },
      ],
    }
  const module = readModule(entry, context)
  const cases = entry.cases.map((_, which) => readCase(entry, which, context))
  const mistakes = [
    ...expressionMistakes(entry, context),
    ...('mistakes' in module ? module.mistakes : []),
    ...cases.flatMap((each) => ('mistakes' in each ? each.mistakes : [])),
  ]
  if (mistakes.length > 0 || 'mistakes' in module) return { mistakes }
  const { id, language = 'cel', expression, message, severity } = entry
  return {
    rule: {
      id,
      language,
      expression,
      module: module.module,
      message,
      severity,
      tee,
      cases: cases.flatMap((each) => ('read' in each ? [each.read] : [])),
      source: { file: file.path, line: document.placeOf(path).line },
    },
  }
}

function expressionMistakes(
  { expression, tee }: RuleEntry,
  { document, index, file, claimSchemas }: RuleContext,
): readonly Mistake[] {
  if (expression === undefined) return []
  const evidence = tee === undefined ? undefined : claimSchemas.get(tee)
  const found = celMistakes(expression, ruleVariables(evidence))
  if (found.length === 0) return []
  const start = document.placeOf(['spec', 'rules', index, 'expression'])
  // readDocument has found it to be UTF-8.
  const source = new TextDecoder().decode(file.bytes)
  return found.map(({ offset, message }) => ({
    ...placeInFile(source, { expression, offset, start }),
    message,
  }))
}

function readModule(
  { module }: RuleEntry,
  { document, index, fileAt }: RuleContext,
): { readonly module: RegoModule | undefined } | { readonly mistakes: readonly Mistake[] } {
  if (!module) return { module: undefined }
  const { path, entrypoint } = module
  const wrong = (field: string, message: string) => ({
    mistakes: [{ ...document.placeOf(['spec', 'rules', index, 'module', field]), message }],
  })
  const wasm = fileAt(path)
  if (!wasm) return wrong('path', `there is no ${path} in the repository`)
  if (wasm.length > LARGEST_MODULE)
    return wrong('path', `${path} is ${wasm.length} bytes long; at most ${LARGEST_MODULE} are read`)
  const expected = module.sha256.slice('sha256:'.length)
  const sha256 = createHash('sha256').update(wasm).digest('hex')
  if (sha256 !== expected)
    return wrong(
      'sha256',
      `${path} has sha256:${sha256}: if that is the module that was reviewed, write it here`,
    )
  return { module: { path, sha256, wasm, entrypoint } }
}

function readCase(
  { cases, tee }: RuleEntry,
  which: number,
  { document, index, inputs, claimSchemas }: RuleContext,
): { readonly read: RuleCase } | { readonly mistakes: readonly Mistake[] } {
  const path = ['spec', 'rules', index, 'cases', which]
  const entry = cases[which]
  if (!entry) return { mistakes: [] }
  const reading = readCaseInput(entry, { inputs, tee, claimSchemas })
  if ('mistakes' in reading)
    return {
      mistakes: reading.mistakes.map(({ path: [first, ...rest], message }) => {
        const full =
          first === 'inputs' ? ['spec', first, ...rest] : [...path, first ?? 'input', ...rest]
        return { ...document.placeOf(full), message: `${lastOf(full)}: ${message}` }
      }),
    }
  const { name, pass } = entry
  // Every field that is there has its type, readCaseInput says. One that is missing is missing to the rule too, for which
  // that is an error, and so a denial.
  const input = reading.input as unknown as RuleInput
  return { read: { name, pass, input, line: document.placeOf(path).line } }
}

function lastOf(path: readonly PropertyKey[]): string {
  return String(path.at(-1))
}
