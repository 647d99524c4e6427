import { expect, test } from 'vitest'
import { logWitnesses } from '../../src/config/log-settings.ts'

const key = (name: string) => `${name}+0123abcd+B${'A'.repeat(43)}`

test('witnesses are read from text with commas and from a list alike', () => {
  const pairs = [`https://a.example/w ${key('a.example')}`, `http://127.0.0.1:7380 ${key('b')}`]
  const expected = [
    { url: 'https://a.example/w', key: key('a.example') },
    { url: 'http://127.0.0.1:7380', key: key('b') },
  ]
  expect(logWitnesses.parse(pairs.join(', '))).toEqual(expected)
  expect(logWitnesses.parse(pairs)).toEqual(expected)
  expect(logWitnesses.parse('')).toEqual([])
})

test.each([
  ['a key that is missing', 'https://a.example'],
  ['plain http to another machine', `http://a.example ${key('a')}`],
  ['the key of a log', `https://a.example a+0123abcd+A${'A'.repeat(43)}`],
  ['a key that is too short', `https://a.example a+0123abcd+B${'A'.repeat(40)}`],
  ['three words', `https://a.example ${key('a')} ${key('b')}`],
  ['seventeen of them', Array.from({ length: 17 }, () => `https://a.example ${key('a')}`).join()],
])('%s is refused', (_, text) => {
  expect(logWitnesses.safeParse(text).success).toBe(false)
})
