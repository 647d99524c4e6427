/** Why was it refused? For the operator everything; for a caller without that role, the stage and the failing check ids. */
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

type Stage = 'structure' | 'authentication' | 'appraisal' | 'binding' | 'release'

/** Names what the policy holds: not for strangers. */
interface Explanation {
  readonly findings: readonly Finding[]
  /** What to do next about this stage. */
  readonly advice: string
  readonly policy: {
    readonly commit: string
    readonly digest: string
    readonly file: string
    /** Of the nearest reference value, else of the file's first. */
    readonly line: number
  }
  readonly nearest: {
    readonly referenceValue: string
    /** Failing ids that another reference value could mend. */
    readonly failing: readonly string[]
  } | null
}

export function explainRefusal({ tee, policy, release }: Matter, decision: Decision): Refusal {
  const { findings, referenceValue } = decision
  const failing = findings.filter(({ outcome }) => outcome === 'fail')
  const first = firstFailure(findings)
  const compared = new Set(tee.appraise.map(({ id }) => id))
  const stage = first ? stageOf(first.id, tee) : 'appraisal'
  return {
    stage,
    failing: failing.map(({ id }) => id),
    sentence: first ? `${first.id}: ${first.detail}` : 'nothing was found that lets it pass',
    explanation: {
      findings,
      advice: adviceAt[stage],
      policy: {
        commit: policy.commit,
        digest: policy.digest,
        file: release.manifest.file,
        line: referenceValue?.line ?? 1,
      },
      nearest: referenceValue
        ? {
            referenceValue: referenceValue.id,
            failing: failing.flatMap(({ id }) => (compared.has(id) ? [id] : [])),
          }
        : null,
    },
  }
}

const adviceAt: Readonly<Record<Stage, string>> = {
  structure: 'Send the evidence raw and whole, as the hardware wrote it.',
  authentication:
    'Send the certificates, revocation lists and collateral of this very machine, and check the clocks; what is forged or revoked stays refused.',
  appraisal:
    'Run what was approved; or, if the change is meant, put what was observed into a reference value of the manifest and commit it.',
  binding:
    'Ask for a new challenge and make evidence over exactly the runtime claims that are sent.',
  release:
    'Change the manifest (validity, reference values, release rules) or ask for what it allows.',
}

function stageOf(id: string, tee: Matter['tee']): Stage {
  const has = (checks: readonly { readonly id: string }[]) => checks.some((each) => each.id === id)
  if (has(tee.structure)) return 'structure'
  if (has(tee.authenticate)) return 'authentication'
  if (has(tee.appraise)) return 'appraisal'
  return id.startsWith('binding.') ? 'binding' : 'release'
}
