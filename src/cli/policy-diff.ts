/** `vouchsafe policy diff`: which agents that were seen lately would change verdict, if this became the policy? */
import { z } from 'zod'
import type { Policy, PolicyFile } from '../policy/policy.ts'
import { mistakeText, readPolicy } from '../policy/policy.ts'
import { YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import { type Comparison, comparisonText, manifestsThatDiffer } from './policy-comparison-text.ts'
import type { OpenRepository, PolicyDeps } from './policy-deps.ts'
import { placeOf } from './policy-place.ts'
import { type Reading, whileReading } from './policy-reading.ts'
import { askService } from './policy-service.ts'
import { durationOf } from './policy-terms.ts'

const options = {
  repository: { type: 'string' },
  since: { type: 'string' },
  tenant: { type: 'string' },
  url: { type: 'string' },
  'token-file': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe policy diff OLD NEW: which agents that were seen lately would change verdict?

  OLD, NEW               commits, as Git names them; NEW may also be the folder of a working copy, commits not needed
  --repository PATH      clone in which both are looked up (default: .)
  --since DURATION       evidence that is older is left out: 24h, 30d (default: 7d)
  --tenant NAME          whose evidence (default: default)
  --url URL              ask this service instead of the data directory here; it looks back 7d, and both must be commits
                         that it can fetch
  --token-file FILE      holds your operator token (role viewer)
  --json                 print {same, manifests, examined, unexaminable, changed, entries}

Stored evidence is appraised again under both policies, each at the time of its own appraisal. Without --url the settings of
\`vouchsafe serve\` say where it lies, and no service may be running on it. Signatures and approvals are not looked at.
Exits 0 (same verdicts), 1 (some differ) or 2 (could not tell).

Examples:
  vouchsafe policy diff HEAD . --since 24h
  vouchsafe policy diff origin/main my-change --url https://attest.example.com --token-file token
`

/** As diff(1) does, and unlike every other command. */
const SAME = YES
const DIFFERS = 1
export const DIFF_FAULT = 2

export async function diffPolicy(args: readonly string[], deps: PolicyDeps): Promise<number> {
  const { values, positionals } = parseArguments('policy diff', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const [old, next, stray] = positionals
  if (old === undefined || next === undefined || stray !== undefined)
    throw new Mistake(
      `OLD and NEW are two policies, and ${positionals.length} were given.`,
      'For what is in the working folder against what is committed: `vouchsafe policy diff HEAD .`.',
    )
  const { url, since = '7d', tenant = 'default' } = values
  if (url !== undefined && values.since !== undefined)
    throw new Mistake(
      '--since goes without --url: the service looks back seven days.',
      'Leave it out.',
    )
  const place = placeOf('policy diff', { repository: values.repository }, [])
  const opened = await deps.openRepository(place)
  try {
    const question: Question = { deps, opened, tenant, old, next }
    const comparison =
      url === undefined
        ? await compareHere(question, new Date(deps.now().getTime() - durationOf('since', since)))
        : await compareThere(question, { url, tokenFile: values['token-file'] })
    deps.out(
      values.json
        ? `${JSON.stringify({ same: comparison.changed === 0, ...comparison })}\n`
        : comparisonText(comparison, deps.colour),
    )
    return comparison.changed === 0 ? SAME : DIFFERS
  } finally {
    await opened.close()
  }
}

interface Question {
  readonly deps: PolicyDeps
  readonly opened: OpenRepository
  readonly tenant: string
  readonly old: string
  readonly next: string
}

async function compareHere(
  { deps, opened, tenant, old, next }: Question,
  since: Date,
): Promise<Comparison> {
  return await whileReading(deps, async (reading) => {
    const from = await policyAt(old, await committed(opened, old), reading)
    const to = (await deps.files.isDirectory(next))
      ? await policyAt(next, await filesIn(next, deps), reading)
      : await policyAt(next, await committed(opened, next), reading)
    const report = await deps.diffStored({ tenant, from, to, since })
    const { examined, unexaminable, changed, entries } = report
    return { manifests: manifestsThatDiffer(from, to), examined, unexaminable, changed, entries }
  })
}

interface Named {
  readonly commit: string
  readonly files: readonly PolicyFile[]
}

async function committed({ history, resolve }: OpenRepository, revision: string): Promise<Named> {
  const commit = await resolve(revision)
  return { commit, files: await history.filesOf(commit) }
}

async function filesIn(path: string, deps: PolicyDeps): Promise<Named> {
  const folder = await deps.openWorkingFolder(path)
  return { commit: `the folder ${folder.path}`, files: await folder.files() }
}

/** Throws Mistake for what could never be a policy. */
async function policyAt(name: string, { commit, files }: Named, reading: Reading): Promise<Policy> {
  const read = await readPolicy(files, { ...reading, commit })
  if ('policy' in read) return read.policy
  const [first] = read.mistakes
  throw new Mistake(
    `${name} is no policy (${read.condition}): ${first ? mistakeText(first) : 'it cannot be read'}.`,
    'See `vouchsafe policy lint` for every mistake.',
  )
}

const answerSchema = z.looseObject({
  examined: z.number(),
  unexaminable: z.number(),
  changed: z.number(),
  entries: z.array(
    z.looseObject({
      appraisal: z.string(),
      environment: z.string(),
      agent: z.string(),
      before: z.enum(['issued', 'refused']),
      after: z.enum(['issued', 'refused']),
      nowFailing: z.array(z.string()),
      noLongerFailing: z.array(z.string()),
    }),
  ),
})

async function compareThere(
  { deps, opened, tenant, old, next }: Question,
  access: { readonly url: string; readonly tokenFile: string | undefined },
): Promise<Comparison> {
  if (await deps.files.isDirectory(next))
    throw new Mistake(
      `${next} is a folder, and a service knows commits only.`,
      'Commit it and push it to a branch that the service can fetch, or leave --url out.',
    )
  const [from, to] = [await committed(opened, old), await committed(opened, next)]
  const { examined, unexaminable, changed, entries } = await askService(
    {
      method: 'POST',
      path: `/v1/policies/${encodeURIComponent(tenant)}/diff`,
      body: { old: from.commit, new: to.commit },
    },
    answerSchema,
    { ...access, deps },
  )
  const manifests = await whileReading(deps, async (reading) =>
    manifestsThatDiffer(await policyAt(old, from, reading), await policyAt(next, to, reading)),
  )
  return { manifests, examined, unexaminable, changed, entries }
}
