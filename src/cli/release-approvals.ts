/** `vouchsafe release approvals` and `approve`: who waits for a secret that takes more than one operator, and who agrees. */
import {
  type ApprovalsReport,
  approvalsResponse,
  approvedResponse,
} from '../service/resource-report.ts'
import { YES } from './answering.ts'
import { Mistake, noPath, onePath, parseArguments } from './arguments.ts'
import { accessHelpFor, accessOptions } from './keys-access.ts'
import { askService } from './policy-service.ts'
import { askResources, tenantOf } from './release-access.ts'
import type { ReleaseDeps } from './release-deps.ts'
import { printable } from './text.ts'

const approvalsOptions = {
  tenant: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...accessOptions,
} as const

const approvalsHelp = `vouchsafe release approvals: which agents' keys wait for operators to agree

  --tenant NAME          default: default
${accessHelpFor('any role but enforcer')}
  --json                 {approvals: [{id, tenant, resource, version, environment, agent, jkt, requestedAt, expiresAt,
                         approvedBy: [{operator, at}], needed}]}

Exits 0 or 1 (could not tell).

Example:
  vouchsafe release approvals --url https://attest.example.com --token-file token
`

export async function approvalsVerb(args: readonly string[], deps: ReleaseDeps): Promise<number> {
  const { values, positionals } = parseArguments('release approvals', args, approvalsOptions)
  if (values.help) {
    deps.out(approvalsHelp)
    return YES
  }
  noPath('release approvals', positionals, 'Leave it out.')
  const tenant = tenantOf(values)
  const report = await askResources(
    {
      question: { method: 'GET', path: `/v1/release-approvals?tenant=${tenant}` },
      schema: approvalsResponse,
      stored: (resources) => resources.approvals(tenant),
    },
    values,
    deps,
  )
  deps.out(
    values.json
      ? `${JSON.stringify(report)}\n`
      : report.approvals.length === 0
        ? 'Nobody waits for an approval.\n'
        : report.approvals.map(approvalText).join('\n'),
  )
  return YES
}

function approvalText(approval: ApprovalsReport['approvals'][number]): string {
  const { id, resource, version, environment, agent, jkt, expiresAt, approvedBy, needed } = approval
  const agreed = approvedBy.map(({ operator }) => printable(operator)).join(', ')
  return `${[
    `${printable(resource)} version ${version} for ${printable(environment)}/${printable(agent)}, key ${printable(jkt)}`,
    `  ${approvedBy.length} of ${needed ?? '?'} agreed${agreed === '' ? '' : `: ${agreed}`}; until ${expiresAt}`,
    `  vouchsafe release approve ${printable(id)} --url URL --token-file FILE`,
  ].join('\n')}\n`
}

const approveOptions = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const approveHelp = `vouchsafe release approve ID: agree that one agent's key may have one version of a secret

Whoever put that version or the newest one there is not counted: it takes others to give it out. Only a running service is
asked, because it knows who you are.

  ID                     as \`vouchsafe release approvals\` has it
  --url URL              address of the service
  --token-file FILE      holds your operator token (role secret-admin)
  --json                 {approval: {id, resource, version, environment, agent, jkt, approvedBy, needed, ...}, next}

Exits 0 or 1 (could not tell, or you may not).

Example:
  vouchsafe release approve 5f1c… --url https://attest.example.com --token-file token
`

export async function approveVerb(args: readonly string[], deps: ReleaseDeps): Promise<number> {
  const { values, positionals } = parseArguments('release approve', args, approveOptions)
  if (values.help) {
    deps.out(approveHelp)
    return YES
  }
  const id = onePath('release approve', 'ID', positionals)
  if (!/^[0-9a-f]{64}$/.test(id))
    throw new Mistake(
      'ID is no id of a question: it has 64 hex digits.',
      'Take it from `vouchsafe release approvals`.',
    )
  const { url, 'token-file': tokenFile } = values
  if (url === undefined)
    throw new Mistake(
      '--url is missing: a database does not know who agrees.',
      'Ask the service: --url URL --token-file FILE.',
    )
  const report = await askService(
    { method: 'POST', path: `/v1/release-approvals/${id}`, body: {} },
    approvedResponse,
    { url, tokenFile, deps },
  )
  const { approval, next } = report
  deps.out(
    values.json
      ? `${JSON.stringify(report)}\n`
      : `You agree: ${printable(approval.environment)}/${printable(approval.agent)} may have ${printable(approval.resource)} version ${approval.version}\n${printable(next)}\n`,
  )
  return YES
}
