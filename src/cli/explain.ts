/** `vouchsafe explain ID`: why did an attestation end as it did? Asked of a running service, as an operator. */
import { answering, YES } from './answering.ts'
import { Mistake, onePath, parseArguments } from './arguments.ts'
import { explainedSchema, explanationText } from './explain-text.ts'
import type { PolicyDeps } from './policy-deps.ts'
import { askService } from './policy-service.ts'
import { coloured, plain } from './text.ts'

export type ExplainDeps = Pick<PolicyDeps, 'out' | 'err' | 'colour' | 'files' | 'fetch'>

const options = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe explain ID --url URL --token-file FILE: why did an attestation end as it did?

  ID                     of the appraisal, or of the request (x-request-id; requestId of the answer and of the log)
  --url URL              address of the service
  --token-file FILE      holds your operator token (role viewer)
  --json                 print what the service answers: {id, verdict, refusal, findings, policy, tokens, log, ...}

Exits 0 (it is explained, whether tokens were issued or refused) or 1 (could not tell, or no such appraisal is kept).

Example:
  vouchsafe explain 8CXf2kXb0Q6YtqzP --url https://attest.example.com --token-file token
`

/** `args` is what follows `explain`. Resolves to the exit code; never rejects. */
export async function explainCommand(args: readonly string[], deps: ExplainDeps): Promise<number> {
  return await answering('explain', args, deps, () => explain(args, deps))
}

/** Throws Mistake. */
async function explain(args: readonly string[], deps: ExplainDeps): Promise<number> {
  const { values, positionals } = parseArguments('explain', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const id = onePath('explain', 'ID', positionals)
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(id))
    throw new Mistake(
      'ID is no id of an appraisal or request.',
      'Take `appraisal` or `requestId` from the answer, or x-request-id from its headers.',
    )
  if (values.url === undefined)
    throw new Mistake('--url is missing: a service is asked.', 'Give the address of the service.')
  const explained = await askService(
    { method: 'GET', path: `/v1/appraisals/${id}` },
    explainedSchema,
    { url: values.url, tokenFile: values['token-file'], deps },
  )
  deps.out(
    values.json
      ? `${JSON.stringify(explained)}\n`
      : explanationText(explained, deps.colour ? coloured : plain),
  )
  return YES
}
