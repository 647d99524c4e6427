/** Which list is handed out: never one that an event has overtaken, never one that is old, and never signed more than needed. */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { expect, test, vi } from 'vitest'
import { statusLists } from '#src/service/status-lists.ts'
import type { ServiceEvent } from '#src/service/token-ports.ts'
import type { Issuer } from '#src/token/issuer.ts'
import { generateTokenKey, importTokenKey } from '#src/token/token-key.ts'
import { statusIn } from '../token/status-list-reader.ts'

const AT = new Date('2026-06-01T00:00:00Z')
const after = (ms: number) => new Date(AT.getTime() + ms)
const [one, two] = await Promise.all(
  [1, 2].map(async () =>
    importTokenKey('possession', (await generateTokenKey('possession')).pkcs8),
  ),
)

function scene() {
  const listeners: ((event: ServiceEvent) => void)[] = []
  const revoked: number[] = []
  let signer = one
  const issuer = {
    url: 'https://attest.example',
    signer: () => signer,
  } as unknown as Issuer
  const statusList = vi.fn(async (list: number) =>
    list === 1 ? { issuer: issuer.url, revoked: [...revoked] } : undefined,
  )
  const lists = statusLists({
    store: { statusList } as never,
    events: {
      poll: async () => {},
      subscribe(listener) {
        listeners.push(listener)
        return () => {}
      },
    },
  })
  const tell = (kind: ServiceEvent['kind'], fields: ServiceEvent['fields'] = {}) => {
    for (const listener of listeners)
      listener({ sequence: 1, at: AT, kind, tenant: 'default', fields })
  }
  return {
    issuer,
    statusList,
    tell,
    revoke(index: number) {
      revoked.push(index)
      tell('token.revoked', { issuer: issuer.url, list: 1, index })
    },
    useKey: (key: typeof one) => {
      signer = key
    },
    read: async (ms: number, list = 1, by = issuer) => await lists.read(by, list, after(ms)),
    async status(ms: number, idx: number): Promise<number> {
      const token = (await lists.read(issuer, 1, after(ms))) ?? ''
      const { lst } = decodeJwt(token).status_list as { readonly lst: string }
      return statusIn(lst, { bits: 1, idx })
    },
  }
}

test('a list is signed once for however many ask, and anew before it grows old', async () => {
  const { read, statusList } = scene()
  const tokens = await Promise.all([0, 0, 5_000, 14_999].map((ms) => read(ms)))
  expect(new Set(tokens).size).toBe(1)
  expect(statusList).toHaveBeenCalledTimes(1)
  const renewed = await read(15_000)
  expect(decodeJwt(renewed ?? '')).toMatchObject({ iat: AT.getTime() / 1000 + 15, ttl: 30 })
})

test('a revocation is in the list that is read a second later, and in that of whoever comes first', async () => {
  const { status, revoke } = scene()
  expect(await status(0, 9)).toBe(0)
  revoke(9)
  expect(await status(1_000, 9)).toBe(1)
})

test('many revocations are one signature a second', async () => {
  const { status, revoke, statusList } = scene()
  await status(0, 0)
  for (let index = 0; index < 100; index++) {
    revoke(index)
    await status(10 * index, index)
  }
  expect(statusList).toHaveBeenCalledTimes(1)
  expect(await status(1_000, 99)).toBe(1)
  expect(statusList).toHaveBeenCalledTimes(2)
})

test('a revocation that comes while a list is read is in the next', async () => {
  const { read, status, revoke, statusList } = scene()
  const answer = Promise.withResolvers<{ issuer: string; revoked: number[] }>()
  statusList.mockReturnValueOnce(answer.promise)
  const first = read(0)
  revoke(9)
  answer.resolve({ issuer: 'https://attest.example', revoked: [] })
  await first
  expect(await status(1_000, 9)).toBe(1)
})

test('another list’s revocation and an accepted policy change nothing here', async () => {
  const { read, tell, issuer, statusList } = scene()
  await read(0)
  tell('token.revoked', { issuer: issuer.url, list: 2, index: 0 })
  tell('token.revoked', { issuer: 'https://other.example', list: 1, index: 0 })
  tell('policy.accepted', { commit: 'c' })
  await read(5_000)
  expect(statusList).toHaveBeenCalledTimes(1)
})

test('a list goes with the key that signed it', async () => {
  const { read, useKey } = scene()
  await read(0)
  useKey(two)
  expect(decodeProtectedHeader((await read(1)) ?? '').kid).toBe(two?.kid)
})

test('there is no list of another issuer, and none that does not exist until it does', async () => {
  const { read, issuer, statusList } = scene()
  expect(await read(0, 1, { ...issuer, url: 'https://other.example' })).toBeUndefined()
  expect(await read(0, 2)).toBeUndefined()
  expect(await read(500, 2)).toBeUndefined()
  expect(statusList).toHaveBeenCalledTimes(2)
  expect(await read(900)).toEqual(expect.any(String))
  expect(await read(901, 1, { ...issuer, url: 'https://other.example' })).toBeUndefined()
  await read(902)
  expect(statusList).toHaveBeenCalledTimes(3)
  statusList.mockResolvedValueOnce({ issuer: issuer.url, revoked: [] })
  expect(await read(1_500, 2)).toEqual(expect.any(String))
})

test('a database that fails is asked again by whoever comes next', async () => {
  const { read, statusList } = scene()
  statusList.mockRejectedValueOnce(new Error('gone'))
  await expect(read(0)).rejects.toThrow('gone')
  await expect(read(1)).resolves.toEqual(expect.any(String))
})
