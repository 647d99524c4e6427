/** Token Status Lists: the draft's own examples, and a list that a relying party reads with libraries that are not ours. */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { describe, expect, test } from 'vitest'
import { encodeStatusList, signStatusList } from '#src/token/status-list.ts'
import { generateTokenKey, importTokenKey } from '#src/token/token-key.ts'
import { statusIn, statusOfToken } from './status-list-reader.ts'

const AT = new Date('2026-06-01T00:00:00Z')
const uri = 'https://attest.example/status-lists/3'
const later = (seconds: number) => new Date(AT.getTime() + seconds * 1000)

const key = importTokenKey('possession', (await generateTokenKey('possession')).pkcs8)
const jwks = { keys: [{ ...key.jwk, kid: key.kid, alg: 'ES256' }] }

describe('the bits are those of draft-ietf-oauth-status-list', () => {
  test('section 4: sixteen statuses are the bytes B9 A3', async () => {
    const lst = await encodeStatusList(16, [0, 3, 4, 5, 7, 8, 9, 13, 15])
    expect(lst).toBe('eNrbuRgAAhcBXQ')
  })

  /** The appendix's list of 2^20 entries. Deflaters pack differently, so what is compared is what comes out. */
  const vector = `eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogE
    AAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    AAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAA
    A7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAA
    ACAZC8L2AEb`.replace(/\s/g, '')
  const revoked = [0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345]
  const read = (lst: string, indices: readonly number[]) =>
    indices.map((idx) => statusIn(lst, { bits: 1, idx }))
  const around = revoked.flatMap((index) => [index - 1, index, index + 1]).filter((at) => at >= 0)

  test('appendix: eleven of 2^20, and their neighbours', async () => {
    const ours = await encodeStatusList(2 ** 20, revoked)
    expect(read(ours, around)).toEqual(read(vector, around))
    expect(read(ours, revoked)).toEqual(revoked.map(() => 1))
    expect(() => statusIn(ours, { bits: 1, idx: 2 ** 20 })).toThrow('out of bounds')
    expect(read(ours, [2 ** 20 - 1])).toEqual([0])
  })

  test('a million tokens of which none is revoked are less than 300 characters', async () => {
    expect((await encodeStatusList(2 ** 20, [])).length).toBeLessThan(300)
  })

  test.each([[16], [-1], [1e9]])(
    'an index that is not in the list, %d, is refused',
    async (index) => {
      await expect(encodeStatusList(16, [index])).rejects.toThrow(RangeError)
    },
  )
})

describe('a signed list', () => {
  const signed = signStatusList(key, {
    uri,
    at: AT,
    size: 2 ** 20,
    revoked: [7, 70_000],
    ttlSeconds: 30,
    lifetimeSeconds: 60,
  })

  test('has exactly the header and claims that section 5.1 asks for', async () => {
    const token = await signed
    expect(decodeProtectedHeader(token)).toEqual({
      alg: 'ES256',
      kid: key.kid,
      typ: 'statuslist+jwt',
    })
    expect(decodeJwt(token)).toEqual({
      sub: uri,
      iat: AT.getTime() / 1000,
      exp: AT.getTime() / 1000 + 60,
      ttl: 30,
      status_list: { bits: 1, lst: expect.stringMatching(/^[A-Za-z0-9_-]+$/) },
    })
  })

  test.each([
    [7, 1],
    [6, 0],
    [8, 0],
    [70_000, 1],
    [1_048_575, 0],
  ])('says of entry %d that it is %d', async (idx, status) => {
    expect(await statusOfToken(await signed, { uri, idx }, { jwks, at: later(59) })).toBe(status)
  })

  test('is good for nobody after a minute, and for no other address', async () => {
    const token = await signed
    await expect(statusOfToken(token, { uri, idx: 7 }, { jwks, at: later(61) })).rejects.toThrow(
      '"exp"',
    )
    await expect(
      statusOfToken(token, { uri: `${uri}0`, idx: 7 }, { jwks, at: AT }),
    ).rejects.toThrow('"sub"')
  })
})
