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
  const [author, ...others] = signers
  const files = samplePolicyFiles({
    ...request,
    signers: signers.map(publicPart),
    heartbeat: heartbeat && publicPart(heartbeat),
  })
  const approvers = others.slice(0, sampleThreshold(signers) - 1)
  const approvals = Object.entries(files)
    .filter(([path]) => path.startsWith('rules/') || path.startsWith('agents/prod/'))
    .flatMap(([path, text]) => approvalOf({ ...request, path, text, approvers }))
  return [
    {
      files: { ...files, ...Object.fromEntries(approvals) },
      message: `approve ${request.agent} 1.0.0`,
      signer: author,
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
}

function approvalOf(approval: Approval): readonly (readonly [string, string])[] {
  const { repository, path, text, approvers, approvedUntil } = approval
  if (approvers.length === 0) return []
  const statement = statementText({
    kind: 'Approval',
    repository,
    path,
    sha256: sha256(text),
    // Every file of a sample begins with it.
    generation: 1,
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
