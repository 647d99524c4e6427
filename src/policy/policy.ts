/** Is the content of this commit a policy? All of it or nothing: one bad document keeps every other one of its commit out. */
import type { AgentRelease } from '../rats/release.ts'
import type { ClaimSchema } from '../rats/tee.ts'
import type { Provenance } from './acceptance/acceptance.ts'
import { type Heartbeat, readHeartbeat } from './documents/heartbeat.ts'
import { mergedRevocations, type Revocations } from './documents/revocations.ts'
import { readTrustFiles, type TrustFiles, type TrustReading } from './documents/trust-files.ts'
import type { TrustRoot } from './documents/trust-root.ts'
import type { Mistake } from './documents/yaml-document.ts'
import { type LaunchIndex, launchIndex } from './launch-index.ts'
import { digestOf, sha256 } from './policy-digest.ts'
import { type KnownDocuments, readDocuments } from './policy-documents.ts'
import { type KnownRules, prepareRules, readPolicyRules } from './policy-rules.ts'
import type { PreparedRules, RuleEngine } from './rules/rule.ts'
import type { Pause } from './slices.ts'
import { visible } from './visible-text.ts'

export { policyDigest, trustDigest } from './policy-digest.ts'

export interface PolicyFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string
  readonly bytes: Uint8Array
}

export interface Policy extends LaunchIndex {
  /** Name of the commit, as Git spells it. */
  readonly commit: string
  /** `sha256:<hex>` over every path and the SHA-256 of its content: Git's own names may rest on SHA-1. */
  readonly digest: string
  readonly releaseOf: (environment: string, agent: string) => AgentRelease | undefined
  readonly releases: readonly AgentRelease[]
  readonly trust: TrustRoot
  readonly revocations: Revocations
  /** Undefined where the trust root asks for none. */
  readonly heartbeat: Heartbeat | undefined
  readonly rules: PreparedRules
  /** The accepted change that last touched this file. */
  readonly provenanceOf: (path: string) => Provenance | undefined
}

export interface FileMistake extends Mistake {
  readonly file: string
}

export interface PolicyContext {
  readonly commit: string
  /** Ids and groups of checks that a policy may waive. */
  readonly waivable: ReadonlySet<string>
  /** By name of the TEE: what rules may look at. */
  readonly claimSchemas: ReadonlyMap<string, ClaimSchema>
  readonly engine: RuleEngine
  readonly provenance?: Readonly<Record<string, Provenance>> | undefined
  /** The policy in force: what did not change is not read again. */
  readonly previous?: Policy | undefined
  /** Resolves once others had their turn. Without it, reading a large commit is one long block. */
  readonly pause?: Pause
}

export type PolicyReading =
  | { readonly policy: Policy }
  | {
      readonly condition: 'SchemaInvalid' | 'RuleCaseFailed'
      readonly mistakes: readonly FileMistake[]
    }

/** Every file of the commit, as Git has it. Signatures and approvals are not looked at: acceptance.ts does. */
export async function readPolicy(
  files: readonly PolicyFile[],
  context: PolicyContext,
): Promise<PolicyReading> {
  const memory = memoryOf(context)
  const digests = new Map(files.map(({ path, bytes }) => [path, sha256(bytes)]))
  const trust = trustOf(files, digests, memory)
  const heartbeat = readHeartbeatFile(files, trust)
  const known = memory?.documents ?? new Map()
  const rules = readPolicyRules({ ...context, files, digests, known: memory?.rules })
  // The engine compiles in its own time. Without pauses, nothing that it says would be heard before its time is over.
  const early = context.pause && !('mistakes' in rules) ? prepareRules(rules) : undefined
  // Nobody may be left to hear of it, where documents have mistakes or cannot be read.
  early?.catch(() => {})
  const documents = await readDocuments({ ...context, files, digests, known })

  const mistakes = [trust, heartbeat, documents, rules].flatMap((reading) =>
    'mistakes' in reading ? reading.mistakes : [],
  )
  // Whatever of them is wrong has mistakes, which is for the compiler to know.
  if (mistakes.length > 0 || 'mistakes' in trust || 'mistakes' in heartbeat || 'mistakes' in rules)
    return { condition: 'SchemaInvalid', mistakes }
  const ruling = await (early ?? prepareRules(rules))
  if ('mistakes' in ruling) return { condition: 'RuleCaseFailed', mistakes: ruling.mistakes }

  const { releases } = documents
  const { commit, provenance = {} } = context
  // A name holds no slash, so no two pairs share a key.
  const byName = new Map(
    releases.map((release) => [`${release.environment}/${release.agent}`, release] as const),
  )
  const policy: Policy = {
    commit,
    digest: digestOf(digests),
    releases,
    releaseOf: (environment, agent) => byName.get(`${environment}/${agent}`),
    ...launchIndex(releases),
    trust: trust.trust.root,
    revocations: mergedRevocations(documents.revocations),
    heartbeat: heartbeat.heartbeat,
    rules: ruling.known.prepared,
    provenanceOf: (path) => (Object.hasOwn(provenance, path) ? provenance[path] : undefined),
  }
  memories.set(policy, {
    trust: trust.trust,
    documents: documents.known,
    rules: ruling.known,
    waivable: context.waivable,
  })
  return { policy }
}

/** `agents/prod/invoice-bot.yaml:12:5: spec.release is missing` */
export function mistakeText({ file, line, column, message }: FileMistake): string {
  return `${visible(file)}:${line}:${column}: ${message}`
}

/** What a policy was made of. Beside it and not in it: nobody but the next reading has any use for that. */
interface Memory {
  readonly trust: TrustFiles
  readonly documents: KnownDocuments
  readonly rules: KnownRules
  readonly waivable: ReadonlySet<string>
}

const memories = new WeakMap<Policy, Memory>()

/** Manifests that were read when other checks could be waived are read again. */
function memoryOf({ previous, waivable }: PolicyContext): Memory | undefined {
  const memory = previous && memories.get(previous)
  return memory && sameMembers(memory.waivable, waivable) ? memory : undefined
}

function sameMembers(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a === b || (a.size === b.size && [...a].every((member) => b.has(member)))
}

function trustOf(
  files: readonly PolicyFile[],
  digests: ReadonlyMap<string, string>,
  memory: Memory | undefined,
): TrustReading {
  const own = [...digests].filter(([path]) => path.startsWith('trust/'))
  return memory?.trust.digest === digestOf(new Map(own))
    ? { trust: memory.trust }
    : readTrustFiles(files)
}

const HEARTBEAT = 'heartbeat.yaml'

/** Exactly when the trust root asks for one: a heartbeat that nobody judges would be believed to protect. */
function readHeartbeatFile(
  files: readonly PolicyFile[],
  trust: TrustReading,
): { readonly heartbeat: Heartbeat | undefined } | { readonly mistakes: readonly FileMistake[] } {
  if ('mistakes' in trust) return { heartbeat: undefined }
  const terms = trust.trust.root.heartbeat
  const bytes = files.find(({ path }) => path === HEARTBEAT)?.bytes
  if (terms && bytes) {
    const reading = readHeartbeat(bytes, terms)
    return 'mistakes' in reading
      ? { mistakes: reading.mistakes.map((mistake) => ({ file: HEARTBEAT, ...mistake })) }
      : reading
  }
  if (!terms && !bytes) return { heartbeat: undefined }
  const message = terms
    ? 'trust/root.yaml asks for a heartbeat, and this file is missing: sign one, or take spec.heartbeat out'
    : 'trust/root.yaml asks for no heartbeat, so nobody looks at this file: add spec.heartbeat there, or delete it'
  return { mistakes: [{ file: HEARTBEAT, line: 1, column: 1, message }] }
}
