/** What does `policy verify --last COMMIT` remember of a commit that it takes as accepted? */
import { afterEach, expect, test } from 'vitest'
import {
  approval,
  BOT,
  bob,
  mallory,
  manifest,
  type PolicyRepository,
  policyRepository,
  rootYaml,
} from '../git/policy-repository.ts'
import { verify } from './policy-tools.ts'

const made: PolicyRepository[] = []
afterEach(() => {
  for (const repository of made.splice(0)) repository.remove()
})

async function repositoryOf() {
  const repository = await policyRepository()
  made.push(repository)
  return repository
}

const other = 'agents/prod/other-bot.yaml'

test('a file that was deleted long ago keeps its generation', async () => {
  const repository = await repositoryOf()
  const at = (generation: number) => ({ [other]: manifest({ agent: 'other-bot', generation }) })
  await repository.commit({ files: at(7) })
  await repository.commit({ files: at(9) })
  await repository.commit({ files: { [other]: null } })
  const last = await repository.commit({ files: { 'README.md': 'later' } })
  const low = await repository.commit({ files: at(8) })
  expect(await verify(repository, '--last', last)).toMatchObject({
    code: 2,
    condition: 'RollbackOrRewrite',
    commit: low,
    message: expect.stringContaining('9 was accepted before'),
  })
  repository.point(last)
  await repository.commit({ files: at(10) })
  expect((await verify(repository, '--last', last)).code).toBe(0)
})

test('its tree is taken as it is, whoever made it', async () => {
  const repository = await repositoryOf()
  const last = await repository.commit({
    files: { [BOT]: manifest({ generation: 50 }) },
    by: mallory,
  })
  await repository.commit({ files: { [BOT]: manifest({ generation: 51 }) } })
  expect((await verify(repository)).condition).toBe('UnknownSigner')
  expect((await verify(repository, '--last', last)).code).toBe(0)
})

test('an approval that has ended refuses a whole history, and not what comes after --last', async () => {
  const repository = await repositoryOf()
  const content = rootYaml({ generation: 2 })
  const end = { notAfter: '2026-07-01T00:00:00Z' }
  const approved = approval({ path: 'trust/root.yaml', content, generation: 2, ...end }, bob)
  const last = await repository.commit({ files: { 'trust/root.yaml': content, ...approved } })
  await repository.commit({ files: { 'README.md': 'later' } })
  const at = ['--at', '2026-08-01T00:00:00Z']
  expect((await verify(repository, ...at)).condition).toBe('ApprovalMissing')
  expect((await verify(repository, ...at, '--last', last)).code).toBe(0)
  expect((await verify(repository, ...at, '--pin', last)).code).toBe(0)
})
