/** What the verbs of `vouchsafe policy` need from this machine. src/main.ts wires it; tests hand in parts of it. */
import type { KeyObject } from 'node:crypto'
import type { PolicyHistory } from '../policy/acceptance/acceptance.ts'
import type { Policy, PolicyFile } from '../policy/policy.ts'
import type { RuleEngine } from '../policy/rules/rule.ts'
import type { VerifyOpenPgp } from '../policy/signatures/signer.ts'
import type { DriftReport } from '../service/policy-ports.ts'
import type { Output } from './answering.ts'
import type { Files } from './files.ts'

export interface PolicyDeps extends Output {
  readonly colour: boolean
  readonly now: () => Date
  readonly files: Files
  /** Puts a file in place whole, with the folders above it. */
  readonly writeFile: (path: string, bytes: Uint8Array) => Promise<void>
  /** Git's full history of one branch, fetched where `repository` is an address. Throws HistoryFault. */
  readonly openRepository: (place: RepositoryPlace) => Promise<OpenRepository>
  /** Makes the repository and its keys; nothing of it existed before. Resolves to the newest commit. */
  readonly makeRepository: (made: NewRepository) => Promise<{ readonly commit: string }>
  /** The working folder of a repository, changes that are not committed included. Throws HistoryFault. */
  readonly openWorkingFolder: (path: string) => Promise<WorkingFolder>
  readonly openEngine: () => Promise<RuleEngine & { readonly close: () => Promise<void> | void }>
  /** Absent where no OpenPGP verifier is installed: such signatures are then refused. */
  readonly verifyOpenPgp?: VerifyOpenPgp | undefined
  /** `ssh-keygen -Y sign`: an armored SSHSIG. It may ask for a passphrase at the terminal. Rejects with a sentence. */
  readonly sign: (request: SigningRequest) => Promise<Uint8Array>
  readonly fetch: typeof globalThis.fetch
  /** Appraises the evidence of this machine's data directory again. Throws Problem where another process holds it. */
  readonly diffStored: (request: StoredDiff) => Promise<DriftReport>
}

export interface RepositoryPlace {
  /** Path of a clone, or an address that Git can fetch from. */
  readonly repository: string
  /** Undefined: what is checked out for a path, `main` for an address. */
  readonly branch: string | undefined
}

export interface OpenRepository {
  readonly history: PolicyHistory
  /** The commit to judge. */
  readonly candidate: string
  /** Name of the branch, or `HEAD` where a path has none checked out. */
  readonly branch: string
  /** Full name of the commit that `revision` means: any that Git knows in a clone, full names only behind an address. Throws HistoryFault. */
  readonly resolve: (revision: string) => Promise<string>
  readonly close: () => Promise<void>
}

export interface NewRepository {
  /** Empty or absent. */
  readonly path: string
  readonly branch: string
  readonly keysDirectory: string
  readonly commits: readonly NewCommit[]
  /** Whose keys are written; `git commit` there signs as the first. */
  readonly signers: readonly [NewSigner, ...NewSigner[]]
}

export interface NewCommit {
  /** Path to content. */
  readonly files: Readonly<Record<string, string | Uint8Array>>
  readonly message: string
  readonly signer: NewSigner
}

export interface NewSigner {
  readonly principal: string
  readonly privateKey: KeyObject
}

export interface WorkingFolder {
  /** Its top, where trust/ is. */
  readonly path: string
  readonly files: () => Promise<readonly PolicyFile[]>
  /** What a file held last: in the commit that is checked out, or before it was deleted. */
  readonly lastCommitted: (path: string) => Promise<Uint8Array | undefined>
  readonly resolve: (revision: string) => Promise<string>
}

export interface SigningRequest {
  /** Path of a private key, or of a public one whose private key an agent or token holds. */
  readonly key: string
  readonly namespace: string
  readonly message: Uint8Array
  /** What the signer says meanwhile: touch the key. */
  readonly tell: (text: string) => void
}

export interface StoredDiff {
  readonly tenant: string
  readonly from: Policy
  readonly to: Policy
  /** Evidence that is older is left out. */
  readonly since: Date
  readonly progress?: (examined: number) => void
}
