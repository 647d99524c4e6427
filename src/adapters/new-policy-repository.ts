/**
 * Makes a policy repository on disk: its signed commits, its signers' keys beside it, and a configuration with which
 * `git commit` signs as the first of them. Needs the system's git, and no ssh-keygen.
 */
import { execFile } from 'node:child_process'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openSshPrivateKey, sshKeyOf, sshKeyText } from '../policy/signatures/ssh-key.ts'
import { type CommitSigner, commitSigned, initRepository } from './signed-commit.ts'

export interface NewPolicyRepository {
  /** Empty or absent. */
  readonly path: string
  readonly branch: string
  /** No file of a signer's name is there yet. */
  readonly keysDirectory: string
  readonly commits: readonly NewCommit[]
  /** Whose keys are written; the first is the one that `git commit` signs with. */
  readonly signers: readonly [Signer, ...Signer[]]
}

interface NewCommit {
  readonly files: Readonly<Record<string, string | Uint8Array>>
  readonly message: string
  readonly signer: Signer
}

interface Signer {
  readonly principal: string
  /** Ed25519. */
  readonly privateKey: KeyObject
}

/** Resolves to the newest commit. Throws Problem('policy-unavailable') where there is no git. */
export async function makePolicyRepository(
  { path, branch, keysDirectory, commits, signers }: NewPolicyRepository,
  { searchPath }: { readonly searchPath: string },
): Promise<{ readonly commit: string }> {
  await initRepository(path, { searchPath, branch })
  await mkdir(keysDirectory, { recursive: true, mode: 0o700 })
  for (const signer of signers) await writeKey(keysDirectory, signer)
  let commit = ''
  for (const { files, message, signer } of commits)
    commit = await commitSigned({
      repository: path,
      searchPath,
      files,
      message,
      signer: committer(signer),
    })
  await configure(path, searchPath, settingsFor(signers[0], keysDirectory))
  return { commit }
}

/** As ssh-keygen leaves them: the private key for its owner only, and never over another. */
async function writeKey(folder: string, { principal, privateKey }: Signer): Promise<void> {
  const file = join(folder, principal)
  await writeFile(file, openSshPrivateKey(privateKey, principal), { mode: 0o600, flag: 'wx' })
  const publicKey = sshKeyText(sshKeyOf(createPublicKey(privateKey)))
  await writeFile(`${file}.pub`, `${publicKey} ${principal}\n`, { flag: 'wx' })
}

export function committer(signer: Signer): CommitSigner {
  return { privateKey: signer.privateKey, ...identityOf(signer) }
}

function identityOf({ principal }: Signer) {
  return { name: principal, email: `${principal}@example.com` }
}

function settingsFor(signer: Signer, keysDirectory: string): Readonly<Record<string, string>> {
  const { name, email } = identityOf(signer)
  return {
    'user.name': name,
    'user.email': email,
    'user.signingkey': join(keysDirectory, signer.principal),
    'gpg.format': 'ssh',
    'commit.gpgsign': 'true',
    // Relative to the top of the working tree, where git runs ssh-keygen.
    'gpg.ssh.allowedSignersFile': 'trust/allowed_signers',
  }
}

async function configure(
  path: string,
  searchPath: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const file = join(path, '.git', 'config')
  for (const [name, value] of Object.entries(settings))
    await promisify(execFile)('git', ['config', '--file', file, name, value], {
      env: { PATH: searchPath, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' },
      timeout: 20_000,
    })
}
