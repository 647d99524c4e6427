/** What was given, before anything of it is judged: the file's object, with every variable put in its place. */
import { CONFIG_FILE, NO_SETTINGS, settings, variablesOnly } from './settings.ts'

export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** From the command line, under the names of the variables that they stand for: they win over those. */
  readonly flags?: Readonly<Record<string, string | undefined>>
  /** Throws when there is no such readable file. */
  readonly readText: (path: string) => string
}

export type Given = Readonly<Record<string, unknown>>

export function givenBy(sources: ConfigSources, mistakes: string[]): Given {
  return withVariables(fileGiven(sources, mistakes), sources, mistakes)
}

/** What a variable says, or the flag that stands for it. */
export function variableOf({ env, flags = {} }: ConfigSources, name: string): string | undefined {
  return flags[name] ?? env[name]
}

export function asObject(value: unknown): Given {
  return isObject(value) ? value : {}
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

/** The file's object, without the mark that tells editors its schema. */
export function fileGiven(sources: ConfigSources, mistakes: string[]): Given {
  const file = variableOf(sources, CONFIG_FILE)
  if (file === undefined) return {}
  try {
    const value: unknown = JSON.parse(sources.readText(file))
    if (isObject(value)) {
      const { $schema: _, ...given } = value
      return given
    }
    mistakes.push(`${CONFIG_FILE}: ${file} must hold a JSON object`)
  } catch (cause) {
    mistakes.push(`${CONFIG_FILE}: ${file} cannot be read as JSON: ${messageOf(cause)}`)
  }
  return {}
}

function withVariables(file: Given, sources: ConfigSources, mistakes: string[]): Given {
  const known = new Set([
    ...settings.map(({ variable }) => variable),
    ...variablesOnly,
    ...NO_SETTINGS,
  ])
  for (const variable of Object.keys(sources.env).toSorted())
    if (variable.startsWith('VOUCHSAFE_') && !known.has(variable))
      mistakes.push(`${variable} is not a setting; see \`vouchsafe serve --help\``)

  const given: Record<string, unknown> = { ...file }
  for (const {
    variable,
    path: [first, second],
  } of settings) {
    const value = variableOf(sources, variable)
    if (value === undefined) continue
    if (second === undefined) given[first] = value
    // What the file has there and is no object stays, and is told as the mistake that it is.
    else if (given[first] === undefined || isObject(given[first]))
      given[first] = { ...asObject(given[first]), [second]: value }
  }
  return given
}

function isObject(value: unknown): value is Given {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
