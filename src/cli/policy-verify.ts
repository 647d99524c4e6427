/** `vouchsafe policy verify`: one run of the acceptance rule that remembers nothing, for the CI of a policy repository. */
import {
  type Acceptance,
  HistoryFault,
  type JudgedCommit,
  judgeCandidate,
  type Start,
} from '../policy/acceptance/acceptance.ts'
import type { FileMistake } from '../policy/policy.ts'
import { trustDigest } from '../policy/policy-digest.ts'
import { silenceOf } from '../service/policy-in-force.ts'
import type { PolicyConditionName } from '../service/policy-ports.ts'
import { COULD_NOT_TELL, REFUSED, YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import { instantOf } from './conditions.ts'
import type { OpenRepository, PolicyDeps } from './policy-deps.ts'
import { acceptedAt } from './policy-last.ts'
import { placeOf } from './policy-place.ts'
import { whileReading } from './policy-reading.ts'
import { startAt } from './policy-terms.ts'
import { verdictText } from './policy-verdict.ts'

const options = {
  repository: { type: 'string' },
  branch: { type: 'string' },
  last: { type: 'string' },
  pin: { type: 'string' },
  at: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe policy verify --repository PATH_OR_URL: would a service accept this commit as its policy?

  --repository WHERE     path of a clone with its full history, or an address that Git can fetch from (default: .)
  --branch NAME          default: what is checked out for a path, main for an address
  --last COMMIT          take this commit as accepted before, and judge what came after it
  --pin PIN              begin where VOUCHSAFE_POLICY_PIN would: a full commit name or sha256:<hex> of trust/
  --at RFC3339           instant at which every commit is seen for the first time (default: now)
  --json                 print {accepted, condition, commit, message, digest, trustDigest, branch, candidate, start,
                         judged, mistakes}

Without --last and --pin the branch's first commit is taken on trust, and the answer says so. Approvals and keys end: judge
an old history from --last or a commit pin. A heartbeat that has ended is Stale and refused here, although a service would
accept the commit and release during its grace.
Exits 0 (accepted), 2 (refused) or 1 (could not tell).

Examples:
  vouchsafe policy verify --repository .
  vouchsafe policy verify --repository . --last origin/main --json
  vouchsafe policy verify --repository https://git.example.com/policy.git --pin sha256:4f1a...
`

/** The JSON form. A stable interface. */
export interface PolicyVerdict {
  readonly accepted: boolean
  readonly condition: PolicyConditionName
  /** What the condition is about: the commit that is at fault, else the candidate. */
  readonly commit: string | null
  readonly message: string
  /** Of the accepted policy. */
  readonly digest: string | null
  readonly trustDigest: string | null
  readonly branch: string | null
  readonly candidate: string | null
  readonly start: { readonly kind: Start['kind']; readonly at: string | null }
  readonly judged: readonly JudgedCommit[]
  readonly mistakes: readonly FileMistake[]
}

export async function verifyPolicy(args: readonly string[], deps: PolicyDeps): Promise<number> {
  const { values, positionals } = parseArguments('policy verify', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const place = placeOf('policy verify', values, positionals)
  const { last, pin } = values
  if (last !== undefined && pin !== undefined)
    throw new Mistake(
      '--last and --pin both say where to begin.',
      'Give --last what was accepted before, or --pin what is trusted to begin with.',
    )
  const begin = startAt(pin)
  const at = values.at === undefined ? deps.now() : instantOf(values.at)
  const { verdict, code } = await verdictOn({ deps, place, last, begin, at })
  deps.out(values.json ? `${JSON.stringify(verdict)}\n` : verdictText(verdict, deps.colour))
  return code
}

interface Question {
  readonly deps: PolicyDeps
  readonly place: ReturnType<typeof placeOf>
  readonly last: string | undefined
  readonly begin: Start
  readonly at: Date
}
interface Answer {
  readonly verdict: PolicyVerdict
  readonly code: number
}

async function verdictOn(question: Question): Promise<Answer> {
  let opened: OpenRepository | undefined
  try {
    opened = await question.deps.openRepository(question.place)
    return await judgedIn(opened, question)
  } catch (cause) {
    if (!(cause instanceof HistoryFault)) throw cause
    const { begin, last } = question
    return {
      code: COULD_NOT_TELL,
      verdict: {
        ...nothing,
        message: cause.message,
        branch: opened?.branch ?? null,
        candidate: opened?.candidate ?? null,
        start: last === undefined ? startJson(begin) : { kind: 'accepted', at: last },
      },
    }
  } finally {
    await opened?.close()
  }
}

async function judgedIn(opened: OpenRepository, question: Question): Promise<Answer> {
  const { deps, last, at } = question
  const { history, candidate, branch } = opened
  const start: Start =
    last === undefined
      ? question.begin
      : { kind: 'accepted', state: await acceptedAt(opened, last) }
  const acceptance = await whileReading(
    deps,
    async (reading) =>
      await judgeCandidate({
        candidate,
        start,
        history,
        // It remembers no earlier sight: everything is seen now.
        firstSeen: async (commits) => new Map(commits.map((commit) => [commit, at])),
        reading,
        verifyOpenPgp: deps.verifyOpenPgp,
      }),
  )
  const verdict = verdictOf(acceptance, { at, branch, candidate, start })
  if (!acceptance.accepted) return { verdict, code: REFUSED }
  const digest = trustDigest(await history.filesOf(candidate, ['trust/']))
  return {
    verdict: { ...verdict, trustDigest: digest },
    code: verdict.accepted ? YES : REFUSED,
  }
}

/** In the order in which they are printed. */
const nothing = {
  accepted: false,
  condition: 'FetchFailed',
  commit: null,
  message: '',
  digest: null,
  trustDigest: null,
  branch: null,
  candidate: null,
  start: { kind: 'first-commit', at: null },
  judged: [],
  mistakes: [],
} as const satisfies PolicyVerdict

interface Circumstances {
  readonly at: Date
  readonly branch: string
  readonly candidate: string
  readonly start: Start
}

function verdictOf(acceptance: Acceptance, circumstances: Circumstances): PolicyVerdict {
  const { at, branch, candidate, start } = circumstances
  const common = { branch, candidate, start: startJson(start) }
  if (!acceptance.accepted) {
    const { condition, commit, message, mistakes } = acceptance
    return { ...nothing, condition, commit, message, ...common, mistakes }
  }
  const { policy, judged, message } = acceptance
  const silence = silenceOf(policy, at)
  return {
    ...nothing,
    accepted: !silence,
    condition: silence ? 'Stale' : 'Synced',
    commit: candidate,
    message: silence
      ? `heartbeat.yaml held until ${silence.since.toISOString()}, and it is ${at.toISOString()}: let the holder of the heartbeat key sign and push a new one. Nothing else is wrong: ${message}`
      : message,
    digest: policy.digest,
    ...common,
    judged,
  }
}

function startJson(start: Start): PolicyVerdict['start'] {
  switch (start.kind) {
    case 'accepted':
      return { kind: 'accepted', at: start.state.commit }
    case 'commit':
      return { kind: 'commit', at: start.commit }
    case 'trust-digest':
      return { kind: 'trust-digest', at: start.digest }
    case 'first-commit':
      return { kind: 'first-commit', at: null }
  }
}
