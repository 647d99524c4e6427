/** What is each setting, and who said so? For people who look at a service that does something else than they meant. */
import { asObject, type ConfigSources, fileGiven, type Given, variableOf } from './given.ts'
import { CONFIG_FILE, flagOf, settings, variablesOnly } from './settings.ts'

export interface SettingInForce {
  /** In the file: `vendors.offline`. Of a secret that has no place there, its variable. */
  readonly name: string
  /** As it was given; null where it is not set and nothing stands in for it. A secret is told as HIDDEN. */
  readonly value: unknown
  readonly origin: 'flag' | 'environment' | 'file' | 'default' | 'not set'
  /** `--port`, `VOUCHSAFE_PORT`. */
  readonly by: string | undefined
}

const HIDDEN = '(set, and not shown)'

/**
 * `given` is what was given and `parsed` the same with defaults in their places. Files that hold secrets are named and not
 * read. Every value here may be printed: what is a secret has no place in the file and no flag.
 */
export function settingsInForce(
  sources: ConfigSources,
  given: Given,
  parsed: Given,
): readonly SettingInForce[] {
  const file = fileGiven(sources, [])
  const rows = new Map(
    settings.map(({ variable, path }) => [path.join('.'), variable] as [string, string]),
  )
  const leaves = new Map(leavesOf(given, parsed, ''))
  const shown = [...rows.keys(), ...[...leaves.keys()].filter((name) => !rows.has(name))]
  return [
    ...shown.map((name): SettingInForce => {
      const variable = rows.get(name)
      const value = leaves.get(name) ?? null
      return { name, value, ...originOf(sources, { variable, isInFile: has(file, name), value }) }
    }),
    ...variablesOnly
      .filter((name) => name !== CONFIG_FILE && sources.env[name] !== undefined)
      .map((name) => ({ name, value: HIDDEN, origin: 'environment' as const, by: name })),
  ]
}

function originOf(
  sources: ConfigSources,
  {
    variable,
    isInFile,
    value,
  }: { readonly variable: string | undefined; readonly isInFile: boolean; readonly value: unknown },
): Pick<SettingInForce, 'origin' | 'by'> {
  if (variable !== undefined && sources.flags?.[variable] !== undefined)
    return { origin: 'flag', by: flagOf(variable) }
  if (variable !== undefined && variableOf(sources, variable) !== undefined)
    return { origin: 'environment', by: variable }
  if (isInFile) return { origin: 'file', by: undefined }
  return { origin: value === null ? 'not set' : 'default', by: undefined }
}

/** What was given wins over what it was read as: a pin is shown as it was written. */
function leavesOf(given: unknown, parsed: unknown, at: string): readonly [string, unknown][] {
  const isLeaf = given !== undefined ? !isNested(given) : !isNested(parsed)
  if (isLeaf) return at === '' ? [] : [[at, given ?? parsed]]
  const [own, read] = [asNested(given), asNested(parsed)]
  return [...new Set([...Object.keys(own), ...Object.keys(read)])].flatMap((key) =>
    leavesOf(own[key], read[key], at === '' ? key : `${at}.${key}`),
  )
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}

function asNested(value: unknown): Given {
  return Array.isArray(value) ? { ...value } : asObject(value)
}

function has(file: Given, name: string): boolean {
  let value: unknown = file
  for (const key of name.split('.')) {
    value = asNested(value)[key]
    if (value === undefined) return false
  }
  return true
}
