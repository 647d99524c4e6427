/**
 * The policy repository of `vouchsafe dev`: made by the code that makes everybody's, signed, and kept from one start to the
 * next, so that what was changed in it is still there. What the agent loads is another list after an update of Node or of
 * Vouchsafe: then it is approved anew, by a commit that is judged like any other.
 */
import { generateKeyPairSync, hash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { trustDigest } from '../policy/policy-digest.ts'
import type { SampleRuntime } from '../policy/sample/sample.ts'
import {
  type SampleKey,
  type SampleRequest,
  sampleCommits,
  sampleRenewal,
} from '../policy/sample/sample-commits.ts'
import { ownSshPrivateKey } from '../policy/signatures/ssh-key.ts'
import { Problem } from '../problems.ts'
import { committer, makePolicyRepository } from './new-policy-repository.ts'
import { commitSigned, headOf } from './signed-commit.ts'

export interface SampleRepositoryRequest {
  /** Folder of `vouchsafe dev`. */
  readonly directory: string
  readonly agent: string
  /** 48 bytes in hex. */
  readonly measurement: string
  readonly at: Date
  /** Where the service is going to be, and which resources it may give to the agent. */
  readonly releases: {
    readonly port: () => Promise<number>
    readonly audienceAt: (port: number) => string
    readonly scopes: readonly string[]
  }
  /** What the agent may load and do in a session. */
  readonly runtime: SampleRuntime
  /** A release for stock Key Broker clients that prove nothing. */
  readonly anyClient?: { readonly agent: string; readonly scopes: readonly string[] } | undefined
  /** README.md of a new repository. */
  readonly readme: string
  /** PATH. */
  readonly searchPath: string
}

export interface SampleRepository {
  readonly repository: string
  readonly keys: string
  /** Trust digest of the first commit. */
  readonly pin: string
  /** For which the policy was made: on another one its agents get tokens, and no secrets. */
  readonly port: number
  /** Why `runtime` is not what it approves: somebody's own commits are not written over. */
  readonly notRenewed: string | undefined
}

const BRANCH = 'main'
const NAME = 'dev-policy'
const SIGNERS = ['alice', 'bob'] as const
/** Raise it when the demonstration or the sample changes: a repository of another edition may not approve today's agent. */
const EDITION = 4
/** The sample's manifests end after 90 days; the last of them are nobody's to debug. */
const KEPT_DAYS = 80
const DAY_MS = 24 * 3600_000

const recordSchema = z.object({
  edition: z.number(),
  madeAt: z.iso.datetime(),
  pin: z.string(),
  port: z.number().default(0),
  /** The last commit of ours, the generation of its manifests, and what it lets the agent load. */
  commit: z.string().default(''),
  generation: z.number().default(1),
  runtime: z.string().default(''),
})
type Kept = z.output<typeof recordSchema>

/** A sentence for who started it, where what is below `directory` was made by another version or too long ago. */
export function whyNotKept(directory: string, at: Date): string | undefined {
  const record = recordIn(directory)
  if (record === undefined) return undefined
  const { edition, madeAt } = record
  const age = at.getTime() - Date.parse(madeAt)
  if (edition === EDITION && age < KEPT_DAYS * DAY_MS) return undefined
  return `${directory} holds a policy repository ${edition === EDITION ? `from ${madeAt}, which has ended` : 'of another version'}: delete the folder to begin anew`
}

/** Throws Problem('policy-unavailable') where there is no git. */
export async function openSampleRepository(
  request: SampleRepositoryRequest,
): Promise<SampleRepository> {
  const { directory } = request
  const repository = join(directory, 'policy')
  const keys = join(directory, 'keys')
  const known = recordIn(directory)
  const place = { repository, keys }
  if (known) {
    const { pin, port } = known
    return { ...place, pin, port, notRenewed: await renewed(request, { ...place, known }) }
  }
  // The record is written last: without it, what is here was left half made.
  await rm(repository, { recursive: true, force: true })
  await rm(keys, { recursive: true, force: true })
  const signers = [newKey(SIGNERS[0]), newKey(SIGNERS[1])] as const
  const port = await request.releases.port()
  const commits = sampleCommits(sampleOf(request, { signers, port }))
  const { commit } = await makePolicyRepository(
    { path: repository, branch: BRANCH, keysDirectory: keys, commits, signers },
    { searchPath: request.searchPath },
  )
  const files = commits.flatMap((each) => Object.entries(each.files))
  const pin = trustDigest(files.map(([path, text]) => ({ path, bytes: Buffer.from(text) })))
  const madeAt = request.at.toISOString()
  const runtime = digestOf(request.runtime)
  await keep(directory, { edition: EDITION, madeAt, pin, port, commit, generation: 1, runtime })
  return { ...place, pin, port, notRenewed: undefined }
}

function sampleOf(
  { agent, measurement, at, releases, runtime, anyClient, readme }: SampleRepositoryRequest,
  { signers, port }: Pick<SampleRequest, 'signers'> & { readonly port: number },
): SampleRequest {
  return {
    ...{ repository: NAME, agent, signers, measurement, at, runtime, anyClient, readme },
    approvedUntil: new Date(at.getTime() + 365 * DAY_MS),
    releases: { audience: releases.audienceAt(port), scopes: releases.scopes },
  }
}

interface Renewal extends Pick<SampleRepository, 'repository' | 'keys'> {
  readonly known: Kept
}

/** Undefined: `runtime` is approved by now, or was before. */
async function renewed(
  request: SampleRepositoryRequest,
  { repository, keys, known }: Renewal,
): Promise<string | undefined> {
  const runtime = digestOf(request.runtime)
  if (known.runtime === runtime) return undefined
  const { directory, searchPath } = request
  const begin = `delete ${directory} to begin anew`
  const head = await headOf({ repository, searchPath, branch: BRANCH })
  if (head !== known.commit)
    return `what it loads is another list than at the last start, and the policy repository holds commits of your own: ${begin}`
  const [author, approver] = SIGNERS.map((principal) => keyIn(keys, principal))
  if (!author || !approver)
    return `the keys in ${keys} are not those that were made for it: ${begin}`
  const generation = known.generation + 1
  const { files, message, signer } = sampleRenewal({
    ...sampleOf(request, { signers: [author, approver], port: known.port }),
    generation,
  })
  try {
    const commit = await commitSigned({
      ...{ repository, searchPath, files, message },
      signer: committer(signer),
      at: request.at,
    })
    await keep(directory, { ...known, commit, generation, runtime })
    return undefined
  } catch (fault) {
    // Git keeps what was changed there and not committed.
    if (fault instanceof Problem) return `${fault.detail}; ${begin}`
    throw fault
  }
}

function digestOf(runtime: SampleRuntime): string {
  return hash('sha256', JSON.stringify(runtime))
}

function recordFile(directory: string): string {
  return join(directory, 'policy.json')
}

function recordIn(directory: string): Kept | undefined {
  const file = recordFile(directory)
  if (!existsSync(file)) return undefined
  return recordSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
}

async function keep(directory: string, record: Kept): Promise<void> {
  await writeFile(recordFile(directory), `${JSON.stringify(record)}\n`)
}

function newKey(principal: string): SampleKey {
  return { principal, privateKey: generateKeyPairSync('ed25519').privateKey }
}

function keyIn(keys: string, principal: string): SampleKey | undefined {
  const file = join(keys, principal)
  const privateKey = existsSync(file)
    ? ownSshPrivateKey(readFileSync(file, 'utf8'), principal)
    : undefined
  return privateKey && { principal, privateKey }
}
