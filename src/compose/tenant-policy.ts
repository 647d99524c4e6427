/** A tenant's policy put together: its clone, the engine for its rules, the pin, and whoever watches what changes. */
import { openGitMirror } from '../adapters/git-mirror.ts'
import { gpgv } from '../adapters/gpgv.ts'
import type { PolicyConfig } from '../config.ts'
import { HistoryFault } from '../policy/acceptance/acceptance.ts'
import { mistakeText, type Policy, readPolicy } from '../policy/policy.ts'
import type { RuleEngine } from '../policy/rules/rule.ts'
import type { VerifyOpenPgp } from '../policy/signatures/signer.ts'
import { Problem } from '../problems.ts'
import { waivableByPolicy } from '../service/open-verifier.ts'
import type { PolicyMirror, PolicySource } from '../service/policy-ports.ts'
import { type PolicyChange, policyReconciler } from '../service/policy-reconciler.ts'
import type { Clock, Journal, Random, Store } from '../service/ports.ts'
import { tees } from '../tee/registry.ts'

export interface TenantPolicyRequest {
  readonly tenant: string
  readonly config: RepositoryConfig
  /** Of the clone, which is this tenant's alone. */
  readonly directory: string
  readonly engine: RuleEngine
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  /** Name of this replica among those of the same database. */
  readonly replica: string
  /** PATH. */
  readonly searchPath: string
  readonly onAccepted?: (change: PolicyChange) => void
}

export type RepositoryConfig = Pick<
  PolicyConfig,
  'repository' | 'branch' | 'pin' | 'credentials' | 'authoritiesFile'
>

export interface TenantPolicy {
  readonly source: PolicySource
  /** What a fetched commit says, whether or not it was ever accepted. Throws Problem('commit-unusable'). */
  readonly policyOf: (commit: string) => Promise<Policy>
}

/** Nothing is read, made or fetched before the first `refresh`. */
export function tenantPolicy(request: TenantPolicyRequest): TenantPolicy {
  const { config, engine } = request
  const mirror = once(() => openMirror(config, request))
  const reading = readingWith(engine)
  const source = policyReconciler({
    ...request,
    ...reading,
    mirror,
    start: config.pin,
    verifyOpenPgp: openPgpVerifier(request),
  })
  return {
    source,
    policyOf: (commit) =>
      policyOf(commit, mirror, async (files) =>
        readPolicy(files, { ...reading, commit, previous: source.accepted() }),
      ),
  }
}

interface MirrorPlace {
  readonly directory: string
  readonly searchPath: string
}

export async function openMirror(
  { repository, branch, credentials, authoritiesFile }: RepositoryConfig,
  { directory, searchPath }: MirrorPlace,
): Promise<PolicyMirror> {
  return await openGitMirror({
    remote: repository,
    branch,
    credentials,
    authoritiesFile,
    directory,
    searchPath,
  })
}

/** How every policy is read here: with every TEE's claims, and others having their turn while it takes long. */
export function readingWith(engine: RuleEngine) {
  return {
    waivable: waivableByPolicy(),
    claimSchemas: new Map(tees.map(({ name, claimSchema }) => [name, claimSchema])),
    engine,
    pause,
  }
}

/** One run of gpgv for a signature. */
const GPGV_TIMEOUT_MS = 5_000

export function openPgpVerifier({ searchPath }: Pick<MirrorPlace, 'searchPath'>): VerifyOpenPgp {
  return gpgv({ searchPath, timeoutMs: GPGV_TIMEOUT_MS })
}

const MOST_MISTAKES_TOLD = 5

async function policyOf(
  commit: string,
  mirror: () => Promise<PolicyMirror>,
  read: (files: Awaited<ReturnType<PolicyMirror['filesOf']>>) => ReturnType<typeof readPolicy>,
): Promise<Policy> {
  try {
    const opened = await mirror()
    if (!(await opened.holds(commit)))
      throw new Problem('commit-unusable', `the service has not fetched commit ${commit}`)
    const reading = await read(await opened.filesOf(commit))
    if ('policy' in reading) return reading.policy
    const told = reading.mistakes.slice(0, MOST_MISTAKES_TOLD).map(mistakeText)
    throw new Problem('commit-unusable', `commit ${commit}: ${told.join('; ')}`)
  } catch (cause) {
    if (!(cause instanceof HistoryFault)) throw cause
    throw new Problem('commit-unusable', `commit ${commit}: ${cause.message}`, { cause })
  }
}

/** Others have their turn in the middle of long work. */
export async function pause(): Promise<void> {
  await new Promise((resume) => setImmediate(resume))
}

/** Shared by whoever asks; asked again after it failed. */
function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opening: Promise<T> | undefined
  return async () => {
    opening ??= open()
    try {
      return await opening
    } catch (cause) {
      opening = undefined
      throw cause
    }
  }
}
