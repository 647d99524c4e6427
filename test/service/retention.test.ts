/** How long is kept what was released, and who was watched? A day after the lease has ended, three after the session fell silent. */
import { expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { forgetOld } from '#src/service/retention.ts'
import { issue, put, release } from '../adapters/release-records.ts'
import { agentSession, later, open } from '../adapters/session-records.ts'
import { AT, DAY } from '../adapters/store-records.ts'

test('a release is forgotten a day after the end of its lease', async () => {
  const store = memoryStore()
  await put(store, 'secret:a')
  await issue(store, ['a'])
  const leaseUntil = new Date(AT.getTime() + 2 * DAY)
  const made = release({ resource: 'secret:a', jti: 'a', leaseUntil })
  expect(await store.recordRelease(made)).toBe('recorded')
  await forgetOld(store, new Date(leaseUntil.getTime() + DAY))
  expect(await store.findRelease(made.release.id)).toEqual(made.release)
  await forgetOld(store, new Date(leaseUntil.getTime() + DAY + 1))
  expect(await store.findRelease(made.release.id)).toBeUndefined()
})

test('a session is forgotten three days after it was last heard', async () => {
  const store = memoryStore()
  const session = agentSession('silent', { heardAt: later(1000) })
  await open(store, session)
  await forgetOld(store, later(1000 + 3 * DAY))
  expect(await store.findSession(session.id)).toEqual(session)
  await forgetOld(store, later(1001 + 3 * DAY))
  expect(await store.findSession(session.id)).toBeUndefined()
})
