/** A policy repository on disk that its own trust files accept: one signer, real git, and commits as the test wants them. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commitSigned, initRepository } from '#src/adapters/signed-commit.ts'
import { trustDigest } from '#src/policy/policy.ts'
import { type SamplePolicy, samplePolicyFiles } from '#src/policy/sample/sample.ts'
import { sshKeyOf, sshKeyText } from '#src/policy/signatures/ssh-key.ts'

const searchPath = process.env.PATH ?? ''

export interface SignedPolicy {
  readonly path: string
  readonly first: string
  /** `sha256:<hex>` over trust/ of the first commit. */
  readonly pin: string
  /** Raises the development manifest's generation; resolves to the commit. */
  readonly change: (how: 'signed' | 'unsigned') => Promise<string>
  readonly remove: () => void
}

/** `sample`: changes to the repository that it begins with. */
export async function signedPolicy(sample: Partial<SamplePolicy> = {}): Promise<SignedPolicy> {
  const path = mkdtempSync(join(tmpdir(), 'vouchsafe-signed-'))
  const { privateKey } = generateKeyPairSync('ed25519')
  const signer = { privateKey, name: 'alice', email: 'alice@example.com' }
  const files = samplePolicyFiles({
    repository: 'test-policy',
    agent: 'invoice-bot',
    measurement: 'a1'.repeat(48),
    at: new Date(),
    signers: [{ principal: 'alice', publicKey: sshKeyText(sshKeyOf(createPublicKey(privateKey))) }],
    ...sample,
  })
  await initRepository(path, { searchPath })
  const first = await commitSigned({
    repository: path,
    searchPath,
    files,
    message: 'begin',
    signer,
  })
  const manifest = 'agents/dev/invoice-bot.yaml'
  let generation = 1
  return {
    path,
    first,
    pin: trustDigest(
      Object.entries(files).map(([file, text]) => ({ path: file, bytes: Buffer.from(text) })),
    ),
    change: async (how) =>
      await commitSigned({
        repository: path,
        searchPath,
        files: {
          [manifest]:
            files[manifest]?.replace('generation: 1', `generation: ${++generation}`) ?? '',
        },
        message: 'raise the generation',
        ...(how === 'signed' && { signer }),
      }),
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}
