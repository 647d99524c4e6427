/**
 * Settings on a command line: `--port` for VOUCHSAFE_PORT, and so on for each of them. Secrets have no flag: whoever is on
 * the machine sees the command lines of others.
 */
import { CONFIG_FILE, flagOf, settings } from '../config/settings.ts'

const variables = [CONFIG_FILE, ...settings.map(({ variable }) => variable)]

type SettingOptions = Readonly<Record<string, { readonly type: 'string' }>>

/** For the table that `parseArguments` takes. */
export const settingOptions: SettingOptions = Object.fromEntries(
  variables.map((variable) => [optionOf(variable), { type: 'string' }]),
)

export type Flags = Readonly<Record<string, string>>

/** What was given, under the names of the variables. */
export function flagsOf(values: Readonly<Record<string, unknown>>): Flags {
  return Object.fromEntries(
    variables.flatMap((variable): [string, string][] => {
      const value = values[optionOf(variable)]
      return typeof value === 'string' ? [[variable, value]] : []
    }),
  )
}

function optionOf(variable: string): string {
  return flagOf(variable).slice(2)
}
