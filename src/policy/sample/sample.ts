/**
 * What does a policy repository that works from its first commit hold? The texts that `vouchsafe policy init` and
 * `vouchsafe dev` begin with: roles, thresholds, two manifests, one rule with its cases, and the page that explains them.
 */

import { createHash } from 'node:crypto'
import type { Watch } from '../../rats/transcript.ts'
import { listOf } from '../documents/measurement-list.ts'
import { readmeText, revokedText, rulesText } from './sample-pages.ts'

export interface SamplePolicy {
  /** Name of the repository in every approval. */
  readonly repository: string
  readonly agent: string
  readonly signers: readonly SampleSigner[]
  /** Present: the root asks for a heartbeat, which this principal signs and nobody else. */
  readonly heartbeat?: SampleSigner | undefined
  /** Of the launch, 48 bytes in hex. */
  readonly measurement: string
  readonly at: Date
  /** Of both manifests. Default 1. */
  readonly generation?: number | undefined
  /** With a configuration that names image and model, and whose digest the hardware must report. */
  readonly launchConfig?: LaunchConfig | undefined
  /** A second rule: for tokens that the service itself takes in exchange for secrets and model keys. */
  readonly releases?: SampleReleases | undefined
  /** With it, the agent may open sessions. */
  readonly runtime?: SampleRuntime | undefined
  /** A release for whatever stock Key Broker client comes, which proves nothing about itself. */
  readonly anyClient?: AnyClient | undefined
  /** Replaces the page that a new repository gets. */
  readonly readme?: string
}

export interface SampleReleases {
  /** Public address of the service. */
  readonly audience: string
  /** `secret:NAME`, `model:NAME` */
  readonly scopes: readonly string[]
}

/** What stands in the section `runtime`, as manifests spell it. */
export interface SampleRuntime {
  /** `sha256:<hex>` */
  readonly collectors: readonly string[]
  /** Default: nothing need be watched. */
  readonly watch?: readonly Watch[]
  /** Lines of a measurement list (`listLine`); none: no list. */
  readonly loads?: readonly string[]
  readonly egress?: readonly { readonly host: string; readonly ports: readonly number[] }[]
  readonly sensitiveCalls?: readonly string[]
  readonly anonymousTextKiB?: number
  /** Default 10. */
  readonly heartbeatSeconds?: number
}

export interface AnyClient {
  readonly agent: string
  /** `secret:NAME` */
  readonly scopes: readonly string[]
}

/** Digests as `sha256:<hex>`. */
export interface LaunchConfig {
  readonly image: string
  readonly model: string
}

export interface SampleSigner {
  readonly principal: string
  /** `ssh-ed25519 AAAA...` */
  readonly publicKey: string
}

/** Two of them agree wherever two exist. One person alone has nobody to ask. */
export function sampleThreshold(signers: readonly unknown[]): number {
  return Math.min(2, signers.length)
}

/** Path to text. `heartbeat.yaml` is not among them: only its own key may write it. */
export function samplePolicyFiles(sample: SamplePolicy): Readonly<Record<string, string>> {
  const { agent, launchConfig, anyClient, runtime } = sample
  const list = listIn(runtime)
  return {
    '.gitattributes': attributes,
    'README.md': sample.readme ?? readmeText(sample),
    'trust/root.yaml': rootText(sample),
    'trust/allowed_signers': allowedSigners(sample),
    [`agents/dev/${agent}.yaml`]: manifestText(sample, 'dev'),
    [`agents/prod/${agent}.yaml`]: manifestText(sample, 'prod'),
    ...(launchConfig ? { [configPath(sample)]: configText(launchConfig) } : {}),
    ...(list ? { [list.file]: list.text } : {}),
    ...(anyClient
      ? { [`agents/dev/${anyClient.agent}.yaml`]: anyClientText(sample, anyClient) }
      : {}),
    'rules/baseline.yaml': rulesText,
    'revoked/revoked.yaml': revokedText,
  }
}

export function heartbeatText(notAfter: Date): string {
  return `# Signed again and again, so that a mirror that stands still is noticed. Only the heartbeat's key may change this file.
apiVersion: vouchsafe.dev/v1alpha1
kind: Heartbeat
metadata: {}
spec:
  notAfter: ${instant(notAfter)}
`
}

/** What is signed is bytes: nothing may convert them on the way into a working folder. */
const attributes = '* -text\n'

function rootText({ repository, signers, heartbeat }: SamplePolicy): string {
  const principals = `[${signers.map(({ principal }) => principal).join(', ')}]`
  const threshold = `{threshold: ${sampleThreshold(signers)}, principals: ${principals}}`
  return `# Who may change what here, and how many must agree. Raise generation with every change to anything under trust/.
apiVersion: vouchsafe.dev/v1alpha1
kind: TrustRoot
metadata:
  # The name in every approval: what was approved for another repository counts for nothing here.
  repository: ${repository}
  generation: 1
spec:
  roles:
    - name: maintainers
      principals: ${principals}
      paths: ["**"]
  approvals:
    # Distinct people. Whoever signs the commit is one of them, unless excludeAuthor is true.
    trust: ${threshold}
    rules: ${threshold}
    # Whatever leaves revoked/. One person alone may add to it.
    unrevoke: ${threshold}
    paths:
      # agents/dev/** is in nobody's list: there, a role is enough.
      - paths: ["agents/prod/**"]
        threshold: ${sampleThreshold(signers)}
        principals: ${principals}
${heartbeat === undefined ? '' : heartbeatTerms(heartbeat)}`
}

function heartbeatTerms({ principal }: SampleSigner): string {
  return `  heartbeat:
    principals: [${principal}]
    # This long after heartbeat.yaml's notAfter nothing is released any more.
    grace: 24h
    # How far ahead notAfter may lie.
    longest: 7d
`
}

function allowedSigners({ signers, heartbeat }: SamplePolicy): string {
  return [
    '# One principal per line: who, for what, with which key. The format is that of ssh-keygen(1), ALLOWED SIGNERS.',
    ...signers.map(
      ({ principal, publicKey }) =>
        `${principal} namespaces="git,vouchsafe-approval@v1" ${publicKey}`,
    ),
    ...(heartbeat ? [`${heartbeat.principal} namespaces="git" ${heartbeat.publicKey}`] : []),
    '',
  ].join('\n')
}

const DAY = 24 * 3600_000

function manifestText(sample: SamplePolicy, environment: 'dev' | 'prod'): string {
  const { agent, measurement, at, launchConfig, releases, runtime } = sample
  return `# Evidence matches one entry of referenceValues as a whole, or it is refused.
apiVersion: vouchsafe.dev/v1alpha1
kind: AgentRelease
metadata:
  name: ${agent}
  environment: ${environment}
  version: "1.0.0"
  # Raise it with every change; a lower one is refused for ever, even after the file was deleted.
  generation: ${sample.generation ?? 1}
  notBefore: ${instant(new Date(at.getTime() - DAY))}
  notAfter: ${instant(new Date(at.getTime() + 90 * DAY))}
spec:
  referenceValues:
    - id: genoa
      tee: sev-snp
      products: [Genoa]
      # What \`vouchsafe measure snp\` prints for your image.
      measurement: sha384:${measurement}
${launchConfig ? hostDataText(launchConfig) : ''}      vmpl: 0
      minimumTcb: {bootloader: 10, snp: 25, microcode: 84}
      guestPolicy: {smt: true}
${launchConfig ? partsText(sample, launchConfig) : ''}${runtime ? runtimeText(runtime) : ''}  release:
    - audience: kms.example
      ttl: 240s
${releases ? releasesText(releases) : ''}`
}

function anyClientText({ at }: SamplePolicy, { agent, scopes }: AnyClient): string {
  return `# Whoever speaks the Key Broker protocol passes for this agent: nobody signs sample evidence. Never for production.
apiVersion: vouchsafe.dev/v1alpha1
kind: AgentRelease
metadata:
  name: ${agent}
  environment: dev
  version: "1.0.0"
  generation: 1
  notBefore: ${instant(new Date(at.getTime() - DAY))}
  notAfter: ${instant(new Date(at.getTime() + 90 * DAY))}
spec:
  referenceValues:
    - id: sample
      tee: sample
      # What the stock client says.
      svn: "1"
  release:
    - audience: key-broker
      ttl: 240s
      scopes: [${scopes.map((scope) => `"${scope}"`).join(', ')}]
`
}

function releasesText({ audience, scopes }: SampleReleases): string {
  return `    # The service itself: what such a token may be exchanged for.
    - audience: ${audience}
      ttl: 240s
      scopes: [${scopes.map((scope) => `"${scope}"`).join(', ')}]
`
}

function hostDataText(launchConfig: LaunchConfig): string {
  const digest = createHash('sha256').update(configText(launchConfig)).digest('hex')
  return `      # SHA-256 of the file below runtimeConfig: what it names is then as good as measured.
      hostData: sha256:${digest}
`
}

function partsText(sample: SamplePolicy, { image, model }: LaunchConfig): string {
  return `  runtimeConfig: ${configPath(sample)}
  artifacts:
    - {name: image, kind: image, digest: "${image}"}
  models:
    - {name: llama-small, version: 1, digest: "${model}"}
`
}

function runtimeText(runtime: SampleRuntime): string {
  const { collectors, watch = [], egress = [], sensitiveCalls = [] } = runtime
  const list = listIn(runtime)
  return `  # What it may load and do while it runs. Without this section, no session is offered.
  runtime:
    attestEvery: 5m
    heartbeatEvery: ${runtime.heartbeatSeconds ?? 10}s
    # Which program may watch it.
    collectors: [${collectors.map((digest) => `"${digest}"`).join(', ')}]
    # What must be watched: files, kernel-events, memory-text, rtmr3, sandbox.
    watch: [${watch.join(', ')}]
${list ? `    # What it may load: a file below measurements/, which vouchsafe measure tree makes.\n    lists: ["sha256:${list.sha256}"]\n` : ''}    sensitiveCalls: [${sensitiveCalls.join(', ')}]
    anonymousTextKiB: ${runtime.anonymousTextKiB ?? 0}
    # Everything that it may reach.
    egress: [${egress.map(({ host, ports }) => `{host: "${host}", ports: [${ports.join(', ')}]}`).join(', ')}]
`
}

function listIn(runtime: SampleRuntime | undefined) {
  return runtime?.loads?.length ? listOf(runtime.loads) : undefined
}

function configPath({ agent }: SamplePolicy): string {
  return `config/${agent}.json`
}

function configText({ image, model }: LaunchConfig): string {
  return `${JSON.stringify({ image, models: { 'llama-small': model } }, null, 2)}\n`
}

/** Whole seconds: that is all that manifests hold. */
function instant(at: Date): string {
  return at.toISOString().replace(/\.\d+Z$/, 'Z')
}
