/** Real repositories for one test each, and what reading them says. */
import { afterEach, expect } from 'vitest'
import { gitHistory } from '#src/adapters/git-history.ts'
import { HistoryFault } from '#src/policy/acceptance/acceptance.ts'
import { type PolicyRepository, policyRepository, searchPath } from '../git/policy-repository.ts'

const made: PolicyRepository[] = []
afterEach(() => {
  for (const repository of made.splice(0)) repository.remove()
})

/** Gone after the test. */
export async function repositoryWith(
  files?: Readonly<Record<string, string | Uint8Array>>,
  objectFormat: 'sha1' | 'sha256' = 'sha1',
): Promise<PolicyRepository> {
  const repository = await policyRepository({ ...(files && { files }), objectFormat })
  made.push(repository)
  return repository
}

export const settings = { searchPath, timeoutMs: 10_000 }
export const historyOf = ({ path }: PolicyRepository) => gitHistory(path, settings)

export async function faultOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    (value) => value,
    (cause) => cause,
  )
  expect(outcome).toBeInstanceOf(HistoryFault)
  return (outcome as HistoryFault).message
}
