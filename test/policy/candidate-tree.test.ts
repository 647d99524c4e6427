/** What the whole tree of a candidate must be, once each of its commits was judged. */
import { describe, expect, test } from 'vitest'
import { HistoryFault, UnfitTree } from '#src/policy/acceptance/acceptance.ts'
import { approval, BOT, bob, manifest } from '../git/policy-repository.ts'
import { accepted, agreeingEngine, refused, rulesYaml, scene } from './judging.ts'

const newer = { [BOT]: manifest({ generation: 43 }) }

describe('the whole tree', () => {
  test('must be a policy, with every mistake in its place', async () => {
    const { repository, now } = await scene()
    const commit = repository.commit({ files: { [BOT]: `${manifest({ generation: 43 })}x: 1\n` } })
    const refusal = await refused(now(), 'SchemaInvalid', /invoice-bot\.yaml:17:1: x/)
    expect(refusal.commit).toBe(commit)
    expect(refusal.mistakes).toMatchObject([{ file: BOT, line: 17, column: 1 }])
  })

  test('may have been broken on the way', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: { [BOT]: 'broken: [' } })
    repository.commit({ files: { [BOT]: manifest({ generation: 43 }) } })
    await accepted(now())
  })

  test('has rules whose cases hold', async () => {
    const { repository, now } = await scene()
    const content = rulesYaml(1)
    const path = 'rules/base.yaml'
    repository.commit({
      files: { [path]: content, ...approval({ path, content, generation: 1 }, bob) },
    })
    const lying = {
      prepare: async (rules: Parameters<typeof agreeingEngine.prepare>[0]) => {
        const preparation = await agreeingEngine.prepare(rules)
        if ('mistakes' in preparation) return preparation
        const { prepared } = preparation
        return {
          prepared: {
            ...prepared,
            askCases: async () =>
              rules.map(({ cases }) => cases.map(() => ({ answer: true as const }))),
          },
        }
      },
    }
    await refused(now({ reading: { engine: lying } }), 'RuleCaseFailed', /rules\/base\.yaml:12/)
    await accepted(now())
  })

  test.each([
    'Trust/x',
    'TRUST/root.yaml',
    'ｔrust/root.yaml',
    'tru\u017ft/root.yaml',
    'Rules/a.yaml',
    'agents /x',
    'Heartbeat.yaml',
    'approvals./x',
    'revoked\u0301/x',
  ])('has nothing that another file system takes for a folder of ours: %s', async (path) => {
    const { repository, now } = await scene()
    repository.commit({ files: { [path]: 'hello' } })
    await refused(now(), 'SchemaInvalid', /on some file systems/)
  })

  test('is not reached when the commits before it change more than is judged at once', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: newer })
    const many = Array.from({ length: 200_001 }, (_, index) => `config/${index}`)
    const history = { ...repository.history, changedPaths: async () => many }
    await refused(now({ history }), 'SchemaInvalid', /change more than 200000 files/)
  })

  test('is not blamed for a clone that cannot be read', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: newer })
    await expect(
      accepted(now({ candidate: '1234567812345678123456781234567812345678' })),
    ).rejects.toBeInstanceOf(HistoryFault)
  })

  test('is refused for what no policy may hold', async () => {
    const { repository, now } = await scene()
    const commit = repository.commit({ files: newer })
    const history = {
      ...repository.history,
      filesOf: async (name: string, under?: readonly string[]) => {
        if (name === commit) throw new UnfitTree('config/x is a symbolic link')
        return await repository.history.filesOf(name, under)
      },
    }
    const refusal = await refused(now({ history }), 'SchemaInvalid', /symbolic link/)
    expect(refusal.commit).toBe(commit)
  })
})
