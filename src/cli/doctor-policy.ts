/** What `vouchsafe doctor` asks for each tenant: is its repository there, would its policy be accepted, does its OPA answer? */
import type { Config, Secrets, TenantConfig } from '../config.ts'
import { type Acceptance, HistoryFault } from '../policy/acceptance/acceptance.ts'
import { mistakeText } from '../policy/policy.ts'
import type { RuleAnswer } from '../policy/rules/rule.ts'
import { silenceOf } from '../service/policy-in-force.ts'
import { type Examination, type Warning, warns } from './examination.ts'

export interface PolicyPorts {
  readonly now: () => Date
  /** Fetches and judges what the remote offers, and accepts nothing. Throws HistoryFault, and Problem. */
  readonly examinePolicy: (
    tenant: TenantConfig,
    settings: { readonly config: Config; readonly secrets: Secrets },
  ) => Promise<PolicyExamination>
  /** Asks the tenant's OPA about an agent that does not exist. */
  readonly askOpa: (tenant: TenantConfig, secrets: Secrets) => Promise<RuleAnswer>
}

export interface PolicyExamination {
  /** What the branch points to. */
  readonly candidate: string
  /** Judged by what the database has accepted, or by the configured pin. */
  readonly begunAt: 'accepted' | 'pin'
  readonly acceptance: Acceptance
}

export function tenantExaminations(
  ports: PolicyPorts,
  tenant: TenantConfig,
  { config, secrets }: { readonly config: Config; readonly secrets: Secrets },
): readonly Examination[] {
  const { name, simulatedRoots, policy } = tenant
  let examining: Promise<PolicyExamination> | undefined
  const examination = () => {
    examining ??= ports.examinePolicy(tenant, { config, secrets })
    return examining
  }
  return [
    {
      name: `repository ${name}`,
      advice:
        'Correct the address, branch or credentials (VOUCHSAFE_POLICY and what begins with it), or mend the way there.',
      examine: async () =>
        `branch ${policy.branch} of ${policy.repository} is at commit ${(await examination()).candidate}`,
    },
    {
      name: `policy ${name}`,
      advice:
        'Mend the repository as the message says; `vouchsafe policy verify` judges it anywhere. A running service keeps the last policy that it accepted.',
      examine: async () => policyText(await reached(examination()), tenant, ports.now()),
    },
    ...(policy.opa
      ? [
          {
            name: `opa ${name}`,
            advice:
              'Start OPA, or correct VOUCHSAFE_OPA_URL, VOUCHSAFE_OPA_PATH or its token: while it does not answer nothing is released.',
            examine: async () => opaText(await ports.askOpa(tenant, secrets)),
          },
        ]
      : []),
    ...(simulatedRoots === undefined
      ? []
      : [
          warns(
            `tenant ${name}`,
            `simulated evidence is accepted, under the roots in ${simulatedRoots}`,
            'For development and CI only; its tokens have an issuer of their own.',
          ),
        ]),
  ]
}

/** Why it was not reached is said beside `repository`. */
async function reached(examination: Promise<PolicyExamination>): Promise<PolicyExamination> {
  try {
    return await examination
  } catch (cause) {
    if (cause instanceof HistoryFault)
      throw new Error('not judged: the repository cannot be read', { cause })
    throw cause
  }
}

const MOST_MISTAKES_TOLD = 10

function policyText(
  { acceptance, begunAt }: PolicyExamination,
  { policy: { pin } }: TenantConfig,
  at: Date,
): string | Warning {
  const by =
    begunAt === 'accepted'
      ? 'judged by what the service has accepted'
      : `judged from the pin ${pin.kind === 'commit' ? pin.commit : pin.digest}`
  if (!acceptance.accepted) {
    const told = acceptance.mistakes.slice(0, MOST_MISTAKES_TOLD).map(mistakeText)
    throw new Error([`${acceptance.condition}, ${by}: ${acceptance.message}`, ...told].join('\n'))
  }
  const { policy, message } = acceptance
  const silence = silenceOf(policy, at)
  if (silence)
    return {
      warning: `Stale: the heartbeat ended at ${silence.since.toISOString()}, and nothing is released after ${silence.releasesUntil.toISOString()}`,
      advice: 'Let the holder of the heartbeat key sign and push a new heartbeat.yaml.',
    }
  return `${policy.releases.length} release(s) and ${policy.rules.rules.length} rule(s), ${by}: ${message}`
}

/** A denial is an answer: what was asked about is nobody's agent. */
function opaText(answer: RuleAnswer): string {
  if ('fault' in answer) throw new Error(answer.fault)
  return answer.answer ? 'answers, and allows an agent that does not exist' : 'answers'
}
