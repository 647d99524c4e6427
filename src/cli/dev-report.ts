/** What `vouchsafe dev` prints: two verdicts, the refusal explained, and what to try next. */
import { z } from 'zod'
import type { Demonstrated, DevService } from './dev.ts'
import { type Paint, printable, shortened } from './text.ts'

const WIDTH = 10

export function demonstrationText(
  service: DevService,
  shown: readonly Demonstrated[],
  paint: Paint,
): string {
  return [
    '',
    paint('bad', 'SIMULATED EVIDENCE - never for production'),
    `Vouchsafe on ${service.url}, below ${service.directory}`,
    `Policy repository ${service.policy.repository} at commit ${service.policy.commit.slice(0, 12)}, signed;`,
    `  begun at the trust digest ${service.policy.pin}`,
    '',
    ...shown.flatMap((each, index) => [
      `${index + 1}. ${each.agent.name}: ${each.agent.title}`,
      ...(each.answer.tokens[0] === undefined
        ? refusalLines(service, each, paint)
        : tokenLines(each.answer.document, each.answer.tokens[0].token, paint)),
      ...(each.asExpected ? [] : unexpectedLines(service, paint)),
      '',
    ]),
  ].join('\n')
}

export function unexpectedLines(
  { directory }: Pick<DevService, 'directory'>,
  paint: Paint,
): readonly string[] {
  return [
    paint('bad', '   THIS IS NOT WHAT SHOULD HAVE HAPPENED'),
    `   unless the policy repository was changed: delete ${directory} to begin anew`,
  ]
}

/** `service` answers from now on. */
export function readyText(service: DevService): string {
  const { url, issuer, policy, self, operatorTokenFile, secretAdminTokenFile } = service
  const { machineFile } = self
  const [agent] = service.agents
  return `\n${[
    row('issuer', issuer),
    row('key set', `${issuer}/.well-known/jwks.json`),
    row('discovery', `${issuer}/.well-known/openid-configuration`),
    row('API', `${url}/docs, the contract itself at ${url}/openapi.json`),
    row('try', `curl -s ${url}/v1/challenges -H 'content-type: application/json' -d '{}'`),
    row('', `curl -s ${url}/readyz`),
    row('why', `npx vouchsafe explain REQUEST --url ${url} --token-file ${operatorTokenFile}`),
    row(
      'secrets',
      `npx vouchsafe release put secret:demo --file FILE --simulated accepted --url ${url} --token-file ${secretAdminTokenFile}`,
    ),
    row(
      '',
      `npx vouchsafe attest --service ${url} --agent ${agent?.name} --simulator ${agent?.folder} --machine ${machineFile} --release secret:demo --out NEW-FILE`,
    ),
    row(
      'its TEE',
      `npx vouchsafe verify --issuer ${issuer} --simulated-roots ${self.simulatedRoots} --expect measurement=${self.measurement}`,
    ),
    ...watchedRows(service),
    ...keyBrokerRows(service),
    row('policy', `${policy.repository}/README.md: change a digest, with a signature and without`),
    row('keys', `${policy.keys}: those of alice and bob, who sign and approve`),
    '',
    'Serving until Ctrl-C.',
  ].join('\n')}\n`
}

/** By hand what the third act shows. */
function watchedRows({
  url,
  watched,
  agents,
  self,
  operatorTokenFile,
}: DevService): readonly string[] {
  if ('leftOut' in watched) return []
  const { command, code, takesRoot } = watched
  return [
    row(
      'watch',
      `${takesRoot ? '(as root) ' : ''}npx vouchsafe agent run --service ${url} --agent ${agents[0]?.name} --simulator ${agents[0]?.folder} --machine ${self.machineFile} --measure ${code} --log "$(mktemp -d)" -- ${command.join(' ')}`,
    ),
    row('', `npx vouchsafe session list --url ${url} --token-file ${operatorTokenFile}`),
    row('', `echo >> ${code}/tools.mjs     and look at both again`),
    row(
      '',
      `npx vouchsafe session release ID --reason TEXT --url ${url} --token-file ${operatorTokenFile}`,
    ),
  ]
}

function keyBrokerRows({ url, keyBroker, secretAdminTokenFile }: DevService): readonly string[] {
  if (!keyBroker) return []
  const { path, secret } = keyBroker
  return [
    row('kbs', `kbs-client --url ${url} get-resource --path ${path}`),
    row('', `prints ${secret}; it sends sample evidence where it finds no TEE`),
    row('', `kbs-client --url ${url} attest`),
    row(
      '',
      `curl -s ${url}/kbs/v0/resource/${path} -H "authorization: Bearer $(cat ${secretAdminTokenFile})" --data-binary @FILE`,
    ),
  ]
}

/** The accepted change that last touched a manifest, and who signed it. */
const changeSchema = z.object({ commit: z.string(), principal: z.string().nullable() }).nullable()
type Change = z.infer<typeof changeSchema>

const issuedSchema = z.object({
  tokens: z.tuple([
    z.object({
      form: z.string(),
      subject: z.string(),
      audience: z.string(),
      expiresAt: z.string(),
      type: z.string(),
    }),
  ]),
  logLeaf: z.string(),
  status: z.string(),
  trustVector: z.record(z.string(), z.number()),
  release: z.object({
    version: z.string(),
    generation: z.number(),
    referenceValue: z.string(),
    manifest: z.string(),
    line: z.number(),
    changedBy: changeSchema,
  }),
})

function tokenLines(document: unknown, token: string, paint: Paint): readonly string[] {
  const parsed = issuedSchema.safeParse(document)
  if (!parsed.success) return [row('answer', JSON.stringify(document))]
  const { tokens, logLeaf, status, trustVector, release } = parsed.data
  const [{ form, type, subject, audience, expiresAt }] = tokens
  return [
    row('verdict', paint('good', 'TOKEN ISSUED')),
    row('token', `${token.slice(0, 40)}... (${token.length} characters, opened with its own key)`),
    row('for', `${audience}, until ${expiresAt}; form ${form} (${type})`),
    row('subject', subject),
    row(
      'release',
      `version ${release.version}, generation ${release.generation}, reference value ${release.referenceValue}`,
    ),
    row('approved', `${release.manifest}:${release.line}${changeText(release.changedBy)}`),
    row('log leaf', logLeaf),
    row(
      'trust',
      `${status}: ${Object.entries(trustVector)
        .map(([claim, tier]) => `${claim} ${tier}`)
        .join(', ')}`,
    ),
    row('', paint('faint', 'hardware 97 because a simulator is never taken for hardware')),
  ]
}

const refusalSchema = z.object({
  code: z.string(),
  detail: z.string(),
  next: z.string(),
  advice: z.string().optional(),
  requestId: z.string(),
  stage: z.string().optional(),
  failing: z.array(z.string()).default([]),
  policy: z
    .object({ commit: z.string(), file: z.string(), line: z.number(), changedBy: changeSchema })
    .optional(),
  nearest: z.object({ referenceValue: z.string(), failing: z.array(z.string()) }).nullish(),
  findings: z
    .array(
      z.object({
        id: z.string(),
        outcome: z.string(),
        observed: z.unknown(),
        expected: z.unknown(),
        cites: z.string(),
      }),
    )
    .default([]),
})
type RefusalDocument = z.infer<typeof refusalSchema>

function refusalLines(
  service: DevService,
  { answer }: Demonstrated,
  paint: Paint,
): readonly string[] {
  const parsed = refusalSchema.safeParse(answer.document)
  if (!parsed.success) return [row('answer', `${answer.status} ${JSON.stringify(answer.document)}`)]
  const { code, stage, failing, findings, policy, nearest, detail, requestId } = parsed.data
  const next = parsed.data.advice ?? parsed.data.next
  const failures = findings.filter(({ id }) => failing.includes(id))
  return [
    row('verdict', paint('bad', `REFUSED ${answer.status} ${code}${stage ? ` at ${stage}` : ''}`)),
    ...(failures.length === 0
      ? [row('because', printable(detail))]
      : failures.flatMap((finding) => findingLines(finding))),
    ...(policy
      ? [
          row(
            'policy',
            `${service.policy.repository}/${policy.file}:${policy.line}${changeText(policy.changedBy)}`,
          ),
        ]
      : []),
    ...(nearest
      ? [
          row(
            'nearest',
            `reference value ${nearest.referenceValue}, but for ${nearest.failing.join(', ') || 'nothing that it compares'}`,
          ),
        ]
      : []),
    row('next', next),
    row('request', requestId),
  ]
}

function changeText(change: Change): string {
  if (!change) return ''
  return `, committed by ${printable(change.principal ?? 'somebody')} in ${change.commit.slice(0, 12)}`
}

function findingLines(finding: RefusalDocument['findings'][number]): readonly string[] {
  return [
    row('check', `${finding.id} (${finding.cites})`),
    row('observed', datumText(finding.observed)),
    row('expected', datumText(finding.expected)),
  ]
}

function datumText(datum: unknown): string {
  return printable(shortened(typeof datum === 'string' ? datum : (JSON.stringify(datum) ?? '')))
}

function row(name: string, text: string): string {
  return `   ${name.padEnd(WIDTH)} ${text}`
}
