/** How a configuration that cannot be used is told: every mistake on a line of its own, and what to do. */
import { COULD_NOT_TELL, type Output } from './answering.ts'
import { printable } from './text.ts'

/** Resolves to the exit code. */
export function reportMistakes(
  command: string,
  mistakes: readonly string[],
  { out, err, json }: Output & { readonly json: boolean },
): number {
  const next = `See \`vouchsafe serve --help\` for every setting.`
  if (json)
    out(
      `${JSON.stringify({ error: { code: 'configuration-invalid', detail: mistakes.join('; '), mistakes, next } })}\n`,
    )
  else
    err(
      `vouchsafe ${command}: the configuration is not usable.\n${mistakes.map((mistake) => `  - ${printable(mistake)}\n`).join('')}What to do: ${next}\n`,
    )
  return COULD_NOT_TELL
}
