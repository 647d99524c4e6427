/**
 * The repository that is measured: what `vouchsafe policy init` writes for one agent, for as many agents as asked. One in ten
 * runs in production, under a configuration of its own and with the approvals of two people.
 */
import { createHash } from 'node:crypto'
import { trustDigest } from '../src/policy/policy-digest.ts'
import { samplePolicyFiles } from '../src/policy/sample/sample.ts'
import { sshKeyOf, sshKeyText } from '../src/policy/signatures/ssh-key.ts'
import {
  alice,
  approval,
  bob,
  type PolicyRepository,
  policyRepository,
} from '../test/git/policy-repository.ts'

export interface MeasuredRepository {
  readonly path: string
  readonly pin: { readonly kind: 'trust-digest'; readonly digest: string }
  /** Commits the next generation of one production manifest, approved in the same commit, on the branch that is followed. */
  readonly changeOne: () => Promise<string>
  readonly remove: () => void
}

/** Changes on top of the first commit. */
const HISTORY = 20

/** `edit` changes each manifest before it is approved and signed. */
export async function measuredRepository(
  manifests: number,
  edit: Edit = (manifest) => manifest,
): Promise<MeasuredRepository> {
  const files = filesFor(manifests, edit)
  const repository = await policyRepository({ files, by: alice })
  const changeOne = changesOf(repository, files)
  for (let n = 0; n < HISTORY; n++) await changeOne()
  // As any server would have received it: one pack, and no loose objects but the newest.
  repository.git('repack', '-a', '-d', '-q')
  const bytes = Object.entries(files).map(([path, text]) => ({ path, bytes: Buffer.from(text) }))
  return {
    path: repository.path,
    pin: { kind: 'trust-digest', digest: trustDigest(bytes) },
    changeOne,
    remove: repository.remove,
  }
}

type Edit = (manifest: string, agent: string) => string

function filesFor(manifests: number, edit: Edit): Readonly<Record<string, string>> {
  const files: Record<string, string> = {}
  for (let n = 0; n < manifests; n++) Object.assign(files, filesOfAgent(n, edit))
  return files
}

const at = new Date()
const signers = [alice, bob].map(({ principal, publicKey }) => ({
  principal,
  publicKey: sshKeyText(sshKeyOf(publicKey)),
}))

function filesOfAgent(n: number, edit: Edit): Readonly<Record<string, string>> {
  const agent = `agent-${n}`
  const isInProduction = n % 10 === 0
  const sample = samplePolicyFiles({
    repository: 'measured',
    agent,
    signers,
    measurement: createHash('sha384').update(agent).digest('hex'),
    at,
    ...(isInProduction && {
      launchConfig: { image: digest(`image ${n}`), model: digest(`model ${n}`) },
    }),
  })
  const left = isInProduction ? '/dev/' : '/prod/'
  const own = Object.entries(sample)
    .filter(([path]) => !path.includes(left))
    .map(([path, text]) => [path, path.startsWith('agents/') ? edit(text, agent) : text] as const)
  // The rules are the same for every agent, and approved once.
  const approved = own.filter(
    ([path]) => path.includes('/prod/') || (n === 0 && path.startsWith('rules/')),
  )
  return Object.assign(
    Object.fromEntries(own),
    ...approved.map(([path, content]) => approvedByBob(path, content, 1)),
  )
}

function approvedByBob(path: string, content: string, generation: number) {
  return approval({ repository: 'measured', path, content, generation }, bob)
}

function changesOf(
  { commit }: PolicyRepository,
  files: Readonly<Record<string, string>>,
): () => Promise<string> {
  const path = 'agents/prod/agent-0.yaml'
  const first = files[path] ?? ''
  let generation = 1
  return async () => {
    generation++
    const text = first.replace('generation: 1\n', `generation: ${generation}\n`)
    return await commit({
      files: { [path]: text, ...approvedByBob(path, text, generation) },
      by: alice,
    })
  }
}

function digest(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}
