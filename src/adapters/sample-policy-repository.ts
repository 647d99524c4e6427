/**
 * The policy repository of `vouchsafe dev`: made by the code that makes everybody's, signed, and kept from one start to the
 * next, so that what was changed in it is still there.
 */
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { trustDigest } from '../policy/policy-digest.ts'
import { type SampleKey, sampleCommits } from '../policy/sample/sample-commits.ts'
import { makePolicyRepository } from './new-policy-repository.ts'

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
}

const BRANCH = 'main'
/** Raise it when the demonstration or the sample changes: a repository of another edition may not approve today's agent. */
const EDITION = 2
/** The sample's manifests end after 90 days; the last of them are nobody's to debug. */
const KEPT_DAYS = 80
const DAY_MS = 24 * 3600_000

const recordSchema = z.object({
  edition: z.number(),
  madeAt: z.iso.datetime(),
  pin: z.string(),
  port: z.number().default(0),
})

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
  const { directory, agent, measurement, at, releases, readme, searchPath } = request
  const repository = join(directory, 'policy')
  const keys = join(directory, 'keys')
  const known = recordIn(directory)
  if (known) return { repository, keys, pin: known.pin, port: known.port }

  // The record is written last: without it, what is here was left half made.
  await rm(repository, { recursive: true, force: true })
  await rm(keys, { recursive: true, force: true })
  const signers = [newKey('alice'), newKey('bob')] as const
  const port = await releases.port()
  const commits = sampleCommits({
    repository: 'dev-policy',
    agent,
    signers,
    measurement,
    at,
    approvedUntil: new Date(at.getTime() + 365 * DAY_MS),
    releases: { audience: releases.audienceAt(port), scopes: releases.scopes },
    anyClient: request.anyClient,
    readme,
  })
  await makePolicyRepository(
    { path: repository, branch: BRANCH, keysDirectory: keys, commits, signers },
    { searchPath },
  )
  const files = commits.flatMap((commit) => Object.entries(commit.files))
  const pin = trustDigest(files.map(([path, text]) => ({ path, bytes: Buffer.from(text) })))
  const record = { edition: EDITION, madeAt: at.toISOString(), pin, port }
  await writeFile(recordFile(directory), `${JSON.stringify(record)}\n`)
  return { repository, keys, pin, port }
}

function recordFile(directory: string): string {
  return join(directory, 'policy.json')
}

function recordIn(directory: string): z.infer<typeof recordSchema> | undefined {
  const file = recordFile(directory)
  if (!existsSync(file)) return undefined
  return recordSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
}

function newKey(principal: string): SampleKey {
  return { principal, privateKey: generateKeyPairSync('ed25519').privateKey }
}
