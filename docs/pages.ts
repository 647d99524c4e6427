/** The text of the pages and schemas that are made from values in the code: by file name in this folder. */
import { checksMarkdown } from '../src/cli/checks.ts'
import { configFileSchema } from '../src/config.ts'
import { policySchemas } from '../src/policy/documents/json-schemas.ts'
import { problemTypes } from '../src/problems.ts'
import { tees } from '../src/tee/registry.ts'
import { trustVectorMarkdown } from './trust-vector-page.ts'

export const generatedPages: ReadonlyMap<string, string> = new Map([
  ['checks.md', checksMarkdown(tees)],
  ['problems.md', problemsMarkdown()],
  ['trust-vector.md', trustVectorMarkdown(tees)],
  ['schemas/Configuration.json', `${JSON.stringify(configFileSchema, null, 2)}\n`],
  ...[...policySchemas].map(
    ([kind, schema]) => [`schemas/${kind}.json`, `${JSON.stringify(schema, null, 2)}\n`] as const,
  ),
])

function problemsMarkdown(): string {
  return `${[
    '# Problems',
    '',
    'Printed from `src/problems.ts` by `npm run docs`. The service answers with these as `application/problem+json` (RFC 9457),',
    'the command line with `--json` as `{"error": {"code", "detail", "next"}}` and exit code 1. Codes are stable: branch on them and',
    'not on the text.',
    '',
    'Wrong evidence is no problem in this sense but a result: it lists findings ([checks.md](checks.md)), and the service answers',
    '`evidence-rejected`.',
    ...Object.entries(problemTypes).flatMap(([code, { status, title, next }]) => [
      '',
      `## ${code}`,
      '',
      `${title}. HTTP ${status}.`,
      '',
      `What to do: ${next}`,
    ]),
  ].join('\n')}\n`
}
