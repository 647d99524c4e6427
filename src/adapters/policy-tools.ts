/** What `vouchsafe policy` needs of this machine, in one value: git, ssh-keygen, the rule engine, and an OpenPGP verifier. */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { replaceFile } from './endorsement-cache-file.ts'
import { gpgv } from './gpgv.ts'
import { makePolicyRepository, type NewPolicyRepository } from './new-policy-repository.ts'
import { openPolicyRepository, type PolicyRepositoryPlace } from './open-policy-repository.ts'
import { openPolicyFolder } from './policy-folder.ts'
import { signWithSshKeygen } from './ssh-keygen.ts'

/** A history of years is fetched once and read in seconds; whoever waits longer has another trouble. */
const TIMEOUT_MS = 120_000
/** Every run begins with a cold process, often on a machine that is busy with a build; nobody else waits for it. */
const PATIENCE = { inputMs: 1_000, loadMs: 20_000, startMs: 30_000 }
/** Content of a repository is public: other people's tools must be able to read it. */
const READABLE = 0o644

export function policyTools({ searchPath }: { readonly searchPath: string }) {
  const settings = { searchPath, timeoutMs: TIMEOUT_MS }
  return {
    openRepository: async (place: PolicyRepositoryPlace) =>
      await openPolicyRepository(place, settings),
    openWorkingFolder: async (path: string) => await openPolicyFolder(path, settings),
    makeRepository: async (made: NewPolicyRepository) =>
      await makePolicyRepository(made, { searchPath }),
    // Late: CEL and its workers take longer to load than a signature takes to make.
    openEngine: async () => (await import('./rule-engine.ts')).openRuleEngine(PATIENCE),
    verifyOpenPgp: gpgv(settings),
    sign: signWithSshKeygen,
    async writeFile(path: string, bytes: Uint8Array) {
      await mkdir(dirname(path), { recursive: true })
      await replaceFile(path, bytes, READABLE)
    },
  }
}
