/** Why was it refused? For the operator everything; for a caller without that role, the stage and the failing check ids. */
import { type Difference, differencesOf } from '../policy/match-release.ts'
import type { Finding } from '../rats/check.ts'
import { firstFailure } from '../rats/check.ts'
import type { Decision, Matter } from './decision.ts'

export interface Refusal {
  /** Which question was not answered to satisfaction first. */
  readonly stage: Stage
  /** Ids of the failing checks, in order. */
  readonly failing: readonly string[]
  readonly sentence: string
  readonly explanation: Explanation
}

export type Stage =
  | 'structure'
  | 'authentication'
  | 'appraisal'
  | 'binding'
  | 'release'
  | 'revocation'
  | 'runtime'
  | 'rules'
  | 'remote-policy'

/** Names what the policy holds: not for strangers. */
export interface Explanation {
  readonly findings: readonly Finding[]
  /** What to do next about this stage. */
  readonly advice: string
  readonly policy: ExplainedPolicy
  readonly nearest: NearestReference | null
  /** Releases that approve what was launched under another name: at most five. */
  readonly launchedAs: readonly LaunchedAs[]
}

export interface ExplainedPolicy {
  readonly commit: string
  readonly digest: string
  /** The manifest. */
  readonly file: string
  /** Of the first field that differs, else of the nearest reference value, else of the file's first. */
  readonly line: number
  /** The accepted change that last touched the manifest, and who signed it; null where that is not known. */
  readonly changedBy: { readonly commit: string; readonly principal: string | null } | null
}

export interface NearestReference {
  readonly referenceValue: string
  readonly line: number
  /** It matched as a whole, and the refusal has another reason. */
  readonly isMatched: boolean
  /** Every field by which the evidence differs from it, with its line of the manifest. */
  readonly fields: readonly Difference[]
  /** Failing ids that another reference value could mend. */
  readonly failing: readonly string[]
}

export interface LaunchedAs {
  readonly environment: string
  readonly agent: string
  readonly file: string
  readonly line: number
  readonly referenceValue: string
}

export function explainRefusal(matter: Matter, decision: Decision): Refusal {
  const { findings } = decision
  const { tee } = matter
  const failing = findings.filter(({ outcome }) => outcome === 'fail').map(({ id }) => id)
  const first = firstFailure(findings)
  const stage = first ? stageOf(first.id, tee) : 'appraisal'
  const nearest = nearestOf(matter, decision, failing)
  return {
    stage,
    failing,
    sentence: first ? `${first.id}: ${first.detail}` : 'nothing was found that lets it pass',
    explanation: {
      findings,
      advice: adviceAt[stage],
      policy: explainedPolicy(matter, nearest),
      nearest,
      launchedAs: launchedAs(matter, decision),
    },
  }
}

function nearestOf(
  { tee }: Matter,
  { findings, match }: Decision,
  failing: readonly string[],
): NearestReference | null {
  const { referenceValue, accepted } = match
  if (!referenceValue) return null
  const compared = new Set(tee.appraise.map(({ id }) => id))
  return {
    referenceValue: referenceValue.id,
    line: referenceValue.line,
    isMatched: accepted,
    fields: differencesOf(tee, referenceValue, findings),
    failing: failing.filter((id) => compared.has(id)),
  }
}

function explainedPolicy(
  { policy, release }: Matter,
  nearest: NearestReference | null,
): ExplainedPolicy {
  const { file } = release.manifest
  const provenance = policy.provenanceOf(file)
  return {
    commit: policy.commit,
    digest: policy.digest,
    file,
    line: nearest?.fields[0]?.line ?? nearest?.line ?? 1,
    changedBy: provenance
      ? { commit: provenance.commit, principal: provenance.principal ?? null }
      : null,
  }
}

const MOST_NAMES = 5

/** The agent may be approved, and only its name or environment be wrong. */
function launchedAs(
  { tee, policy, release: asked }: Matter,
  { identity, match }: Decision,
): readonly LaunchedAs[] {
  if (!identity || match.accepted) return []
  return policy
    .launching(tee.name, identity.launch)
    .filter(({ release }) => release !== asked)
    .slice(0, MOST_NAMES)
    .map(({ release: { environment, agent, manifest }, referenceValue }) => ({
      environment,
      agent,
      file: manifest.file,
      line: referenceValue.line,
      referenceValue: referenceValue.id,
    }))
}

export const adviceAt: Readonly<Record<Stage, string>> = {
  structure: 'Send the evidence raw and whole, as the hardware wrote it.',
  authentication:
    'Send the certificates, revocation lists and collateral of this very machine, and check the clocks; what is forged or revoked stays refused.',
  appraisal:
    'Run what was approved; or, if the change is meant, put what was observed into a reference value of the manifest and commit it.',
  binding:
    'Ask for a new challenge and make evidence over exactly the runtime claims that are sent.',
  release:
    'Change the manifest (validity, reference values, release rules) or ask for what it allows.',
  revocation:
    'What is revoked stays refused: run something else, on another machine, with new keys. Entries leave revoked/ only with the approvals that trust/root.yaml demands.',
  runtime:
    'Run only what the manifest approves; or, if what was loaded or done is meant, put it into the section runtime of the manifest and commit it.',
  rules:
    'Read the rule where it is written, and change what it objects to; rules/ changes only with approvals.',
  'remote-policy': 'Ask whoever runs the policy engine beside this service for its decision log.',
}

export function stageOf(id: string, tee: Matter['tee']): Stage {
  const has = (checks: readonly { readonly id: string }[]) => checks.some((each) => each.id === id)
  if (has(tee.structure)) return 'structure'
  if (has(tee.authenticate)) return 'authentication'
  if (has(tee.appraise)) return 'appraisal'
  for (const [start, stage] of stages) if (id.startsWith(start)) return stage
  return 'release'
}

const stages: readonly (readonly [string, Stage])[] = [
  ['binding.', 'binding'],
  ['revoked.', 'revocation'],
  ['runtime.', 'runtime'],
  ['rule.', 'rules'],
  ['policy.remote.', 'remote-policy'],
]
