/**
 * Small real policy repositories with real signatures, so that a test says only what is different in its case. People are
 * made from their names: the same name has the same key in every test and every run.
 */
import { execFileSync } from 'node:child_process'
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { commitSigned, initRepository, type SignedCommit } from '#src/adapters/signed-commit.ts'
import { sshKeyOf } from '#src/policy/signatures/ssh-key.ts'
import { signSsh } from '#src/policy/signatures/ssh-signature.ts'
import { valid } from '../policy/manifests.ts'

/** All that git gets from this process. */
export const searchPath = process.env.PATH ?? ''

export interface Person {
  readonly principal: string
  readonly email: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const known = new Map<string, Person>()

/** `person('alice')`; `person('alice', 'second key')` is the same principal with another key. */
export function person(principal: string, key = 'first key'): Person {
  const name = `${principal}/${key}`
  const found = known.get(name)
  if (found) return found
  const seed = createHash('sha256').update(`test key of ${name}`).digest()
  const privateKey = createPrivateKey({
    // RFC 8410: a PKCS #8 Ed25519 key is this prefix and its seed.
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  })
  const made = {
    principal,
    email: `${principal}@example.com`,
    privateKey,
    publicKey: createPublicKey(privateKey),
  }
  known.set(name, made)
  return made
}

/** In the default trust files alice, bob and carol are owners, dave may change agents/dev/, and mallory is nobody. */
export const alice = person('alice')
export const bob = person('bob')
export const carol = person('carol')
export const dave = person('dave')
export const mallory = person('mallory')
/** Listed and named as heartbeat principal only by `withHeartbeat`. */
export const clockwork = person('clockwork')

export const REPOSITORY_NAME = 'example-policy'

/** `valid-before="20250101Z"` and the like go into `options`, which replace the default namespaces. */
export function signerLine({ principal, publicKey }: Person, options = defaultOptions): string {
  const { type, blob } = sshKeyOf(publicKey)
  return `${principal} ${options} ${type} ${Buffer.from(blob).toString('base64')}\n`
}

const defaultOptions = 'namespaces="git,vouchsafe-approval@v1"'

export function allowedSigners(...people: readonly Person[]): string {
  return people.map((one) => signerLine(one)).join('')
}

const owners = ['alice', 'bob', 'carol']
const twoOwners = { threshold: 2, principals: owners }

/** spec of the default trust/root.yaml; spread it and change what the case is about. */
export const rootSpec = {
  roles: [
    { name: 'owners', principals: owners, paths: ['**'] },
    { name: 'developers', principals: ['dave'], paths: ['agents/dev/**'] },
  ],
  approvals: { trust: twoOwners, rules: twoOwners, unrevoke: twoOwners },
}

export function rootYaml({
  generation = 1,
  repository = REPOSITORY_NAME,
  spec = rootSpec,
}: {
  readonly generation?: number
  readonly repository?: string
  readonly spec?: object
} = {}): string {
  const metadata = { repository, generation }
  return stringify(
    { apiVersion: 'vouchsafe.dev/v1alpha1', kind: 'TrustRoot', metadata, spec },
    { aliasDuplicateObjects: false },
  )
}

/** A whole manifest: `agents/<environment>/<agent>.yaml` must be its path. */
export function manifest({ agent = 'invoice-bot', generation = 42 } = {}): string {
  return valid
    .replace('name: invoice-bot', `name: ${agent}`)
    .replace('generation: 42', `generation: ${generation}`)
}

export const BOT = 'agents/prod/invoice-bot.yaml'

/** What the first commit of a repository holds unless a test says otherwise. */
export const defaultFiles: Readonly<Record<string, string>> = {
  'trust/root.yaml': rootYaml(),
  'trust/allowed_signers': allowedSigners(alice, bob, carol, dave),
  [BOT]: manifest(),
}

export function heartbeatYaml(notAfter: string): string {
  return `apiVersion: vouchsafe.dev/v1alpha1\nkind: Heartbeat\nmetadata: {}\nspec:\n  notAfter: ${notAfter}\n`
}

/** The default files with a heartbeat that clockwork signs. */
export function withHeartbeat(notAfter: string): Readonly<Record<string, string>> {
  const heartbeat = { principals: ['clockwork'], grace: '1h', longest: '2d' }
  return {
    ...defaultFiles,
    'trust/root.yaml': rootYaml({ spec: { ...rootSpec, heartbeat } }),
    'trust/allowed_signers': allowedSigners(alice, bob, carol, dave, clockwork),
    'heartbeat.yaml': heartbeatYaml(notAfter),
  }
}

export interface ApprovalOf {
  readonly path: string
  /** New content of the file; null: it is deleted. */
  readonly content: string | Uint8Array | null
  readonly generation: number
  readonly repository?: string
  readonly notAfter?: string
}

/** The files of one approval, to be committed with the change or after it. */
export function approval(
  { path, content, generation, repository = REPOSITORY_NAME, notAfter = FAR }: ApprovalOf,
  ...by: readonly Person[]
): Readonly<Record<string, string>> {
  const sha256 = content === null ? 'deleted' : sha256Of(content)
  const statement = { kind: 'Approval', repository, path, sha256, generation, notAfter }
  return signedStatement(statement, ...by)
}

const FAR = '2030-01-01T00:00:00Z'

export function reset(
  { from, to, notAfter = FAR }: { from: string; to: string; notAfter?: string },
  ...by: readonly Person[]
): Readonly<Record<string, string>> {
  return signedStatement({ kind: 'Reset', repository: REPOSITORY_NAME, from, to, notAfter }, ...by)
}

/** Signed as `ssh-keygen -Y sign -n vouchsafe-approval@v1` would. */
export function signedStatement(
  statement: object,
  ...by: readonly Person[]
): Readonly<Record<string, string>> {
  const text = JSON.stringify(statement)
  const folder = `approvals/${sha256Of(text)}`
  const signatures = by.map(({ principal, privateKey }) => [
    `${folder}/${principal}.sig`,
    signSsh(privateKey, Buffer.from(text), 'vouchsafe-approval@v1'),
  ])
  return { [`${folder}/statement.json`]: text, ...Object.fromEntries(signatures) }
}

export function sha256Of(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

export interface Change
  extends Partial<Pick<SignedCommit, 'branch' | 'parents' | 'tree' | 'sign' | 'committer'>> {
  /** null deletes. */
  readonly files?: Readonly<Record<string, string | Uint8Array | null>>
  /** Alice unless said; `'nobody'` leaves the commit unsigned. */
  readonly by?: Person | 'nobody'
  readonly message?: string
  /** What the commit claims as its time; a minute after the one before unless said. */
  readonly at?: Date
}

export interface PolicyRepository {
  /** A bare repository, whose branch is main. */
  readonly path: string
  /** The commit that the builder made first. */
  readonly first: string
  /** A signed commit on main, or on the branch that the change names. Returns its name. */
  readonly commit: (change: Change) => Promise<string>
  /** Moves main wherever asked: forward, back or aside. */
  readonly point: (commit: string) => void
  readonly head: () => string
  /** What git printed, without its last line feed. */
  readonly git: (...args: readonly string[]) => string
  readonly gitWith: (input: string | Uint8Array, ...args: readonly string[]) => string
  readonly remove: () => void
}

/** Ends with `remove`. `files` undefined: the default ones; empty: no first commit at all. */
export async function policyRepository({
  files = defaultFiles,
  by = alice,
  objectFormat = 'sha1',
}: {
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  readonly by?: Person | 'nobody'
  readonly objectFormat?: 'sha1' | 'sha256'
} = {}): Promise<PolicyRepository> {
  const path = mkdtempSync(join(tmpdir(), 'vouchsafe-policy-'))
  await initRepository(path, { searchPath, kind: 'bare', objectFormat })
  const gitWith = (input: string | Uint8Array, ...args: readonly string[]) =>
    execFileSync('git', ['--git-dir', path, ...args], {
      env,
      input,
      encoding: 'utf8',
      stdio: 'pipe',
    }).replace(/\n$/, '')
  const git = (...args: readonly string[]) => gitWith('', ...args)

  let made = 0
  const nextTime = () => new Date(Date.parse('2026-06-01T00:00:00Z') + 60_000 * made++)
  const commit = async ({ by: author = alice, ...change }: Change) =>
    await commitSigned({
      repository: path,
      searchPath,
      message: 'a change',
      at: nextTime(),
      ...(author === 'nobody' ? {} : { signer: signerOf(author) }),
      ...change,
    })

  const first = Object.keys(files).length === 0 ? '' : await commit({ files, by })
  return {
    path,
    first,
    commit,
    point: (to) => git('update-ref', 'refs/heads/main', to),
    head: () => git('rev-parse', 'refs/heads/main'),
    git,
    gitWith,
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

function signerOf({ privateKey, principal, email }: Person) {
  return { privateKey, name: principal, email }
}

const env = {
  PATH: searchPath,
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.com',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.com',
}
