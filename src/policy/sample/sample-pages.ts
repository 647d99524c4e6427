/** The parts of a sample policy repository that are the same in each, or for people: rules with cases, revocations, README. */
import type { SamplePolicy } from './sample.ts'

export const rulesText = `# What must hold besides the built-in checks, which no rule can weaken. Only what is exactly true passes.
# Raise generation with every change. The cases are asked at every load: \`vouchsafe policy test\`.
apiVersion: vouchsafe.dev/v1alpha1
kind: Rules
metadata:
  generation: 1
spec:
  inputs:
    # What a rule may look at, and as much of it as these rules read.
    machine:
      tee: sev-snp
      assurance: hardware
      status: affirming
      release: {environment: prod, agent: invoice-bot, version: "1.0.0", generation: 1, referenceValue: genoa}
      request: {tenant: default, audience: kms.example}
      evidence:
        reportedTcb: {snp: 25}
        committedTcb: {snp: 25}
  rules:
    - id: nothing-waived-in-prod
      expression: release.environment != "prod" || status != "warning"
      message: in production no check is waived
      severity: deny
      cases:
        - {name: all checks passed, pass: true, input: machine}
        - {name: one was waived, pass: false, input: machine, change: {status: warning}}
        - name: waived for a developer
          pass: true
          input: machine
          change: {status: warning, release: {environment: dev}}
    - id: firmware-is-committed
      tee: sev-snp
      expression: evidence.committedTcb.snp == evidence.reportedTcb.snp
      message: firmware that is not committed can be rolled back under the running guest
      severity: deny
      cases:
        - {name: committed, pass: true, input: machine}
        - name: on trial
          pass: false
          input: machine
          change: {evidence: {committedTcb: {snp: 24}}}
`

export const revokedText = `# What is no longer trusted, whatever a manifest says. One signer may add an entry; taking one away needs the threshold.
# Raise generation with every change.
apiVersion: vouchsafe.dev/v1alpha1
kind: Revocations
metadata:
  generation: 1
spec:
  # A measurement, configuration, artifact, model or manifest:
  #   - value: sha384:<96 hex digits>
  #     reason: leaks its memory, see CVE-2026-0001
  digests: []
  # A chip, as in hex:<128 hex digits of CHIP_ID>:
  platforms: []
  # A key of an agent, by its RFC 7638 thumbprint:
  agentKeys: []
  # A key of a policy signer, as ssh-keygen -l prints it:
  signerKeys: []
`

export function readmeText({ repository, agent, signers }: SamplePolicy): string {
  const [first, second] = signers.map(({ principal }) => principal)
  return `# ${repository}

What may run, and what it may get. Vouchsafe takes a commit as its policy only if its parent's trust files say that its signer
may make it; otherwise the last accepted one stays in force. docs/policy.md in Vouchsafe is the guide.

| | |
|---|---|
| \`trust/\` | who may change what, and how many must agree |
| \`agents/<environment>/<agent>.yaml\` | approved reference values of each agent |
| \`rules/\` | conditions beyond them, with the cases that prove them |
| \`revoked/\` | what is no longer trusted |
| \`approvals/\` | who agreed to which content; \`vouchsafe policy approve\` writes them |

Change \`agents/dev/${agent}.yaml\` (raise \`generation\`), then:

\`\`\`sh
vouchsafe policy lint
git commit --all --message "${agent} 1.0.1 in dev"      # signs as ${first}: see .git/config
vouchsafe policy verify
\`\`\`
${
  second === undefined
    ? ''
    : `
What lies under \`agents/prod/\`, \`rules/\` or \`trust/\` needs ${second} as well, before or after the commit and in the same push:

\`\`\`sh
vouchsafe policy approve agents/prod/${agent}.yaml --key <${second}'s key>
git add approvals && git commit --message "approved by ${second}"
\`\`\`
`
}`
}
