/** Policies as a test says them: manifests in YAML, and whatever else differs from the usual. */

import { readManifest } from '#src/policy/documents/manifest.ts'
import { launchIndex } from '#src/policy/launch-index.ts'
import type { Policy } from '#src/policy/policy.ts'
import { policyDigest } from '#src/policy/policy-digest.ts'
import type { PreparedRules, Rule, RuleAnswer, RuleInput } from '#src/policy/rules/rule.ts'

export interface PolicyParts {
  /** One digit: all of the commit's name. */
  readonly commit?: string
  /** Path to text. */
  readonly manifests?: Readonly<Record<string, string>>
  readonly rules?: PreparedRules
  readonly revocations?: Partial<Policy['revocations']>
  readonly heartbeat?: Policy['heartbeat']
}

export const BOT = 'agents/prod/invoice-bot.yaml'

/** As readPolicy would make it, without trust files and rule engine. */
export function policyOf(parts: PolicyParts = {}): Policy {
  const { commit = 'c', manifests = { [BOT]: manifest() }, heartbeat } = parts
  const files = Object.entries(manifests).map(([path, text]) => ({
    path,
    bytes: new TextEncoder().encode(text),
  }))
  const releases = files.map((file) => {
    const reading = readManifest(file, {
      waivable: new Set(['revocation', 'tcb']),
      fileAt: () => undefined,
    })
    if ('release' in reading) return reading.release
    throw new Error(reading.mistakes.map(({ line, message }) => `${line}: ${message}`).join('\n'))
  })
  const none = new Map<string, string>()
  return {
    commit: commit.repeat(40),
    digest: policyDigest(files),
    releases,
    releaseOf: (environment, agent) =>
      releases.find((each) => each.environment === environment && each.agent === agent),
    ...launchIndex(releases),
    trust: {
      repository: 'example-policy',
      generation: 1,
      roles: [],
      approvals: {
        trust: { threshold: 1, principals: [], excludeAuthor: false },
        rules: { threshold: 1, principals: [], excludeAuthor: false },
        unrevoke: { threshold: 1, principals: [], excludeAuthor: false },
        paths: [],
      },
      heartbeat: undefined,
    },
    revocations: {
      digests: none,
      platforms: none,
      agentKeys: none,
      signerKeys: none,
      ...parts.revocations,
    },
    heartbeat,
    rules: parts.rules ?? rulesAnswering([], () => []),
    provenanceOf: () => ({ commit: 'b'.repeat(40), principal: 'alice' }),
  }
}

export function rulesAnswering(
  rules: readonly Rule[],
  answer: (input: RuleInput) => readonly (RuleAnswer | undefined)[],
): PreparedRules {
  return {
    rules,
    ask: async (input) => answer(input),
    remembered: () => undefined,
    askCases: async () => [],
  }
}

export function rule(id: string, change: Partial<Rule> = {}): Rule {
  return {
    id,
    language: 'cel',
    expression: 'true',
    module: undefined,
    message: `message of ${id}`,
    severity: 'deny',
    tee: undefined,
    cases: [],
    source: { file: 'rules/prod.yaml', line: 7 },
    ...change,
  }
}

/** `measurement` is one byte in hex: all of the 48. */
export function manifest({
  agent = 'invoice-bot',
  measurement = 'a1',
  more = '',
}: {
  readonly agent?: string
  readonly measurement?: string
  /** Further fields of the reference value, indented by six. */
  readonly more?: string
} = {}): string {
  return `apiVersion: vouchsafe.dev/v1alpha1
kind: AgentRelease
metadata:
  name: ${agent}
  version: "1.8.0"
  generation: 42
  notBefore: 2026-01-01T00:00:00Z
  notAfter: 2027-01-01T00:00:00Z
spec:
  referenceValues:
    - id: current
      tee: sev-snp
      measurement: sha384:${measurement.repeat(48)}
${more}  release:
    - audience: kms.example
      ttl: 240s
      scopes: ["secret:db-ro"]
`
}
