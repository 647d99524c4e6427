/** What the heartbeat's key may do, and how far ahead it may promise. */
import { describe, expect, test } from 'vitest'
import {
  alice,
  approval,
  BOT,
  bob,
  clockwork,
  heartbeatYaml,
  manifest,
  withHeartbeat,
} from '../git/policy-repository.ts'
import { accepted, refused, scene } from './judging.ts'
import { memoryRepository } from './memory-history.ts'

const newer = { [BOT]: manifest({ generation: 43 }) }

describe('the heartbeat', () => {
  const files = withHeartbeat('2026-07-01T12:00:00Z')
  const beat = (notAfter: string) => ({ 'heartbeat.yaml': heartbeatYaml(notAfter) })

  test('is renewed by its own key', async () => {
    const { repository, now } = await scene(files)
    repository.commit({ files: beat('2026-07-02T12:00:00Z'), by: clockwork })
    const { policy } = await accepted(now())
    expect(policy.heartbeat?.notAfter).toEqual(new Date('2026-07-02T12:00:00Z'))
  })

  test('is renewed by nobody else', async () => {
    const { repository, now } = await scene(files)
    repository.commit({ files: beat('2026-07-02T12:00:00Z'), by: alice })
    await refused(now(), 'UnknownSigner', /only the heartbeat's principal clockwork/)
  })

  test.each([
    ['a manifest', newer],
    ['approvals', approval({ path: BOT, content: 'x', generation: 1 }, bob)],
    ['a manifest beside its heartbeat', { ...newer, ...beat('2026-07-02T12:00:00Z') }],
  ])('key changes no %s', async (_, change) => {
    const { repository, now } = await scene(files)
    repository.commit({ files: change, by: clockwork })
    await refused(now(), 'UnknownSigner', /clockwork may change heartbeat\.yaml and nothing else/)
  })

  test('key merges nothing in', async () => {
    const { repository, now, state } = await scene(files)
    const side = repository.commit({ files: newer, parents: [state.commit] })
    const merge = { by: clockwork, parents: [state.commit, side] }
    repository.commit({ files: beat('2026-07-02T12:00:00Z'), ...merge })
    await accepted(now())
    repository.commit({ files: { ...newer, ...beat('2026-07-02T12:00:00Z') }, ...merge })
    await refused(now(), 'UnknownSigner', /nothing else/)
  })

  test('promises no more than the root allows, counted from its first sight', async () => {
    const { repository, now } = await scene(files)
    repository.commit({ files: beat('2026-07-03T00:00:00Z'), by: clockwork })
    await accepted(now())
    repository.commit({ files: beat('2026-07-03T00:00:01Z'), by: clockwork })
    await refused(
      now(),
      'SchemaInvalid',
      /2026-07-03T00:00:00.000Z at the latest \(spec\.heartbeat\.longest/,
    )
  })

  test('that promised too much is mended by the next one', async () => {
    const { repository, now } = await scene(files)
    repository.commit({ files: beat('2036-01-01T00:00:00Z'), by: clockwork })
    repository.commit({ files: beat('2026-07-02T00:00:00Z'), by: clockwork })
    await accepted(now())
  })

  test('that was accepted is not measured again', async () => {
    const { repository, now } = await scene(withHeartbeat('2036-01-01T00:00:00Z'))
    repository.commit({ files: newer })
    await accepted(now())
  })

  test('of a founding commit is its own key’s to write, in the next one', async () => {
    const { 'heartbeat.yaml': _, ...rest } = files
    const repository = memoryRepository({ files: rest })
    repository.commit({ files: beat('2026-07-02T00:00:00Z'), by: clockwork })
    const { history } = repository
    await accepted({ history, candidate: repository.head() })
    const all = memoryRepository({ files })
    await refused({ history: all.history, candidate: all.head() }, 'UnknownSigner', /heartbeat/)
  })
})
