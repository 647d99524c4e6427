/** What may a stranger make the service calculate? JSON of half a megabyte must cost what JSON of half a megabyte costs. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { parseExactJson } from '#src/http/exact-json.ts'
import { post } from '../http/running-service.ts'
import { brokerService } from './broker-scene.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** A function is called for every value then, which takes a hundred times as long as to parse it. */
function callsWithReviver(): () => number {
  const parse = vi.spyOn(JSON, 'parse')
  return () => parse.mock.calls.filter(([, reviver]) => reviver !== undefined).length
}

const many = '1,'.repeat(200_000).slice(0, -1)

describe('JSON of evidence', () => {
  test('is read value by value only where an integer needs it', () => {
    const calls = callsWithReviver()
    expect(parseExactJson(`[${many}]`)).toHaveLength(200_000)
    expect(calls()).toBe(0)
    expect(parseExactJson('{"policy":18446744073709551615}')).toEqual({ policy: 2n ** 64n - 1n })
    expect(calls()).toBe(1)
  })

  test('of many values beside an integer that needs it is refused', async () => {
    const calls = callsWithReviver()
    const body = `{"runtime-data":{},"policy":18446744073709551615,"list":[${many}]}`
    expect(() => parseExactJson(body)).toThrow(/^values/)
    expect(calls()).toBe(0)
    const service = await brokerService()
    try {
      const { status, json } = await post(`${service.url}/kbs/v0/attest`, body)
      expect({ status, detail: json.detail }).toMatchObject({
        status: 400,
        detail: expect.stringMatching(/values/),
      })
    } finally {
      await service.close()
    }
  })

  test('counts values that no comma sets apart', () => {
    const deep = `${'{"a":'.repeat(6)}1${'}'.repeat(6)}`
    const lists = '[[[[[[1]]]]]]'
    for (const value of [deep, lists])
      expect(() =>
        parseExactJson(`[1234567890123456789,${`${value},`.repeat(4000).slice(0, -1)}]`),
      ).toThrow(/^values/)
  })

  test.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['-9007199254740993', -9007199254740993n],
    ['"9007199254740993"', '9007199254740993'],
    ['1e20', 1e20],
    ['0.12345678901234567', Number('0.12345678901234567')],
    ['123456789012345678901', Number('123456789012345678901')],
  ])('keeps %s', (text, value) => {
    expect(parseExactJson(`[${text}]`)).toEqual([value])
  })

  test('has room for a machine’s report and eight certificates', () => {
    const certificate = `[${'48,'.repeat(1800).slice(0, -1)}]`
    const text = `{"policy":18446744073709551615,"chain":[${`${certificate},`.repeat(8).slice(0, -1)}]}`
    expect(parseExactJson(text)).toMatchObject({ policy: 2n ** 64n - 1n })
  })
})
