/** What several verbs of `vouchsafe model` take, and how each of them ends. */
import { ModelRefused } from '../seal/model-refused.ts'
import { type Output, REFUSED, YES } from './answering.ts'
import { Mistake } from './arguments.ts'
import { AgentRefused, refusalText } from './attest-refusal.ts'
import type { ModelDeps, ModelStep, RegistryAccess } from './model-deps.ts'
import { modelProgress } from './model-progress.ts'
import { printable } from './text.ts'

export const registryOptions = {
  'registry-token-file': { type: 'string' },
  'docker-config': { type: 'string' },
} as const

export const registryHelp = `  --registry-token-file FILE   with oci://: holds a bearer token of the registry
  --docker-config FILE         with oci://: a config.json as docker, podman or oras login writes it`

export function registryOf(values: {
  readonly 'registry-token-file'?: string | undefined
  readonly 'docker-config'?: string | undefined
}): RegistryAccess {
  const { 'registry-token-file': tokenFile, 'docker-config': dockerConfig } = values
  if (tokenFile !== undefined && dockerConfig !== undefined)
    throw new Mistake(
      '--registry-token-file and --docker-config were both given.',
      'A registry is shown one of them.',
    )
  return { tokenFile, dockerConfig }
}

/** Throws Mistake. */
export function versionOf(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new Mistake(`--${option} ${text} is no version.`, 'Versions are whole numbers from 1 on.')
}

interface Conclusion<T> {
  readonly json: boolean
  /** Where what came of it is told. */
  readonly said: Output
  readonly deps: ModelDeps
  readonly text: (result: T) => string
}

/** Long work that shows how far it is, and then what came of it. */
export async function concluding<T>(
  { json, said, deps, text }: Conclusion<T>,
  work: (told: (step: ModelStep) => void) => Promise<T>,
): Promise<number> {
  return await refusing(json, said, async () => {
    const progress = modelProgress(deps)
    const result = await work(progress.told).finally(progress.end)
    said.out(json ? `${JSON.stringify(result)}\n` : text(result))
    return YES
  })
}

/** A refusal is an answer, and its exit code is 2. */
export async function refusing(
  json: boolean,
  { out, err }: Output,
  body: () => Promise<number>,
): Promise<number> {
  try {
    return await body()
  } catch (cause) {
    if (cause instanceof AgentRefused) {
      if (json) out(`${JSON.stringify(cause.refusal)}\n`)
      else err(refusalText(cause.refusal))
      return REFUSED
    }
    if (!(cause instanceof ModelRefused)) throw cause
    const { where, observed, expected } = cause.fault
    if (json) out(`${JSON.stringify({ verdict: 'refused', where, observed, expected })}\n`)
    else
      err(
        `REFUSED ${printable(where)}\n  observed  ${printable(observed)}\n  expected  ${printable(expected)}\nWhat to do: do not use any of it. Get the model again from where it was sealed, and the digest from the approved manifest.\n`,
      )
    return REFUSED
  }
}
