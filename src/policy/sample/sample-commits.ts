/**
 * Which commits does a sample repository begin with, so that the very rule that judges every later change accepts them?
 * Nothing is an exception: rules and production manifests of the first commit carry their approvals.
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { APPROVAL_NAMESPACE, statementText } from '../acceptance/approval-statement.ts'
import { sshKeyOf, sshKeyText } from '../signatures/ssh-key.ts'
import { signSsh } from '../signatures/ssh-signature.ts'
import {
  heartbeatText,
  type SamplePolicy,
  type SampleSigner,
  samplePolicyFiles,
  sampleThreshold,
} from './sample.ts'

export interface SampleRequest extends Omit<SamplePolicy, 'signers' | 'heartbeat'> {
  /** At least one; the first signs the commit, and as many more as are needed approve. */
  readonly signers: readonly [SampleKey, ...SampleKey[]]
  readonly heartbeat?: SampleKey | undefined
  /** From when on nobody may begin with these approvals any more. */
  readonly approvedUntil: Date
}

export interface SampleKey {
  readonly principal: string
  /** Ed25519. */
  readonly privateKey: KeyObject
}

export interface SampleCommit {
  readonly files: Readonly<Record<string, string>>
  readonly message: string
  readonly signer: SampleKey
}

/** In order, the first without a parent. */
export function sampleCommits(request: SampleRequest): readonly SampleCommit[] {
  const { signers, heartbeat, at } = request
  const files = filesOf(request)
  return [
    {
      files: { ...files, ...approvalsOf(request, files) },
      message: `approve ${request.agent} 1.0.0`,
      signer: signers[0],
    },
    // A commit of its own: whoever signs the heartbeat may change nothing else, and nobody else may change it.
    ...(heartbeat
      ? [
          {
            files: { 'heartbeat.yaml': heartbeatText(new Date(at.getTime() + FIRST_HEARTBEAT)) },
            message: 'heartbeat',
            signer: heartbeat,
          },
        ]
      : []),
  ]
}

/** What the agent may load is another list now: its manifests once more, of a higher generation, approved as before. */
export function sampleRenewal(
  request: SampleRequest & { readonly generation: number },
): SampleCommit {
  const files = Object.fromEntries(
    Object.entries(filesOf(request)).filter(([path]) => /^(agents|measurements)\//.test(path)),
  )
  return {
    files: { ...files, ...approvalsOf(request, files) },
    message: `approve what ${request.agent} loads on this machine`,
    signer: request.signers[0],
  }
}

function filesOf({ signers, heartbeat, ...request }: SampleRequest): SampleCommit['files'] {
  return samplePolicyFiles({
    ...request,
    signers: signers.map(publicPart),
    heartbeat: heartbeat && publicPart(heartbeat),
  })
}

function approvalsOf(request: SampleRequest, files: SampleCommit['files']): SampleCommit['files'] {
  const [, ...others] = request.signers
  const approvers = others.slice(0, sampleThreshold(request.signers) - 1)
  return Object.fromEntries(
    Object.entries(files)
      .filter(([path]) => path.startsWith('rules/') || path.startsWith('agents/prod/'))
      .flatMap(([path, text]) =>
        approvalOf({
          ...{ repository: request.repository, approvedUntil: request.approvedUntil },
          ...{ path, text, approvers },
          // Rules are never renewed.
          generation: path.startsWith('rules/') ? 1 : (request.generation ?? 1),
        }),
      ),
  )
}

/** Within what the sample's root allows: `longest` in sample.ts. */
const FIRST_HEARTBEAT = 3 * 24 * 3600_000

function publicPart({ principal, privateKey }: SampleKey): SampleSigner {
  return { principal, publicKey: sshKeyText(sshKeyOf(createPublicKey(privateKey))) }
}

interface Approval {
  readonly repository: string
  readonly path: string
  readonly text: string
  readonly approvers: readonly SampleKey[]
  readonly approvedUntil: Date
  /** That the file itself has. */
  readonly generation: number
}

function approvalOf(approval: Approval): readonly (readonly [string, string])[] {
  const { repository, path, text, approvers, approvedUntil, generation } = approval
  if (approvers.length === 0) return []
  const statement = statementText({
    kind: 'Approval',
    repository,
    path,
    sha256: sha256(text),
    generation,
    notAfter: approvedUntil,
  })
  const folder = `approvals/${sha256(statement)}`
  return [
    [`${folder}/statement.json`, statement],
    ...approvers.map(
      ({ principal, privateKey }) =>
        [
          `${folder}/${principal}.sig`,
          signSsh(privateKey, Buffer.from(statement), APPROVAL_NAMESPACE),
        ] as const,
    ),
  ]
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
