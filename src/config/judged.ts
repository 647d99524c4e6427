/** Do the settings say what they may? Every one that does not is told, by the name under which it was given. */
import type { z } from 'zod'
import { settingNamed, settingSays } from './settings.ts'

/** Undefined where anything is wrong, which `mistakes` then tells. */
export function judged<S extends z.ZodType>(
  schema: S,
  given: unknown,
  mistakes: string[],
): z.output<S> | undefined {
  const parsed = schema.safeParse(given, { reportInput: true })
  if (parsed.success) return parsed.data
  mistakes.push(...parsed.error.issues.flatMap(sentencesOf))
  return undefined
}

function sentencesOf(issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${[...issue.path, key].join('.')} is not a setting`)
  const setting = issue.path.map(String).join('.')
  const says = settingSays(setting)
  return issue.input === undefined
    ? [`${settingNamed(setting)} is missing${says ? `: ${says}` : ''}`]
    : [`${settingNamed(setting)} is ${shown(issue.input)}, which ${issue.message}`]
}

/** Without what may be a password in an address. */
function shown(input: unknown): string {
  const text = JSON.stringify(input)?.replace(/\/\/[^/@]*@/g, '//…@')
  return text?.slice(0, 120) ?? typeof input
}
