/** What may stand in rules/*.yaml. What a rule's expression and cases mean for its TEE is read-rules.ts's to judge. */
import { z } from 'zod'
import { apiVersion, generation, identifier, line, unique } from '../documents/document-fields.ts'
import { LARGEST_EXPRESSION } from './cel-tree.ts'

export const MOST_RULES = 100
export const MOST_CASES = 2_000

const input = z
  .record(z.string(), z.unknown())
  .describe('What a rule may look at: tee, assurance, status, release, request and evidence.')

const ruleCase = z.strictObject({
  name: line(100).describe('What is special about it.'),
  pass: z.boolean().describe('Whether the rule must be true of it.'),
  input: z
    .union([identifier, input], 'must be an input, or the name of one of spec.inputs')
    .describe('An input, or the name of one of spec.inputs. What it leaves out is absent.'),
  change: input
    .exactOptional()
    .describe('Fields to set in the input. Groups of fields are merged; lists are replaced.'),
})

const rule = z
  .strictObject({
    id: identifier.describe('The finding is called rule.<id>. Unique in the whole repository.'),
    language: z.enum(['cel', 'rego']).exactOptional().describe('cel, if it is left out.'),
    tee: identifier
      .exactOptional()
      .describe('Only evidence of this TEE is asked about, and only then can evidence be read.'),
    expression: z
      .string('must be text: put it in quotes, or after >-')
      .min(1)
      .max(LARGEST_EXPRESSION)
      .exactOptional()
      .describe('CEL. Only what is exactly true passes: an error is a denial.'),
    module: z
      .strictObject({
        path: z
          .string()
          .regex(
            /^rules\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.wasm$/,
            'must be a module of this repository such as rules/allow.wasm',
          ),
        sha256: z
          .string('must be text: put it in quotes')
          .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 lower-case hex digits'),
        entrypoint: z
          .string()
          .max(200)
          .regex(
            /^[A-Za-z_][A-Za-z0-9_]*(\/[A-Za-z_][A-Za-z0-9_]*)+$/,
            'must be a rule of a package, such as vouchsafe/allow',
          ),
      })
      .exactOptional()
      .describe('Rego, as `opa build -t wasm` compiles it.'),
    message: line(200).describe('Why it matters, for whoever was refused.'),
    severity: z
      .enum(['deny', 'warning'])
      .describe('deny refuses; warning lets pass, and caps the status at warning.'),
    cases: unique(z.array(ruleCase).min(2).max(200), 'name')
      .refine((cases) => cases.some(({ pass }) => pass), 'there must be a case that passes')
      .refine((cases) => cases.some(({ pass }) => !pass), 'there must be a case that fails')
      .describe('Asked at every load. At least one passes and one fails.'),
  })
  .superRefine(({ language = 'cel', expression, module }, context) => {
    const [wanted, unwanted] =
      language === 'cel' ? (['expression', 'module'] as const) : (['module', 'expression'] as const)
    const given = { expression, module }
    if (given[wanted] === undefined)
      context.addIssue(`is a ${language} rule, which needs its ${wanted}`)
    if (given[unwanted] !== undefined)
      context.addIssue({
        code: 'custom',
        path: [unwanted],
        message: `is not for a ${language} rule`,
      })
  })

export const rulesSchema = z
  .strictObject({
    apiVersion,
    kind: z.literal('Rules'),
    metadata: z.strictObject({ generation }),
    spec: z.strictObject({
      inputs: z
        .record(identifier, input)
        .exactOptional()
        .describe('Inputs by name, for the cases of this file to begin with.'),
      rules: unique(z.array(rule).max(MOST_RULES), 'id').describe('All must hold.'),
    }),
  })
  .meta({
    title: 'Rules',
    description:
      'rules/<name>.yaml: what the operator asks beside the built-in checks, which no rule can weaken.',
  })

export type RuleFile = z.output<typeof rulesSchema>
export type RuleEntry = RuleFile['spec']['rules'][number]
export type CaseEntry = RuleEntry['cases'][number]
