import { expect, test } from 'vitest'
import { parseArguments } from '#src/cli/arguments.ts'

const options = { url: { type: 'string' }, json: { type: 'boolean', short: 'j' } } as const
const parsed = (...args: string[]) => {
  const { values, positionals } = parseArguments('explain', args, options)
  return { ...values, positionals }
}

test.each<[string, string[]]>([
  ['first', ['-CXf2kXb0Q6YtqzP', '--url', 'https://a.example', '-j']],
  ['last', ['--url', 'https://a.example', '-j', '-CXf2kXb0Q6YtqzP']],
  ['in between', ['-j', '-CXf2kXb0Q6YtqzP', '--url=https://a.example']],
  ['after the end of options', ['-j', '--url', 'https://a.example', '--', '-CXf2kXb0Q6YtqzP']],
])('an id that begins with a hyphen is an id: %s', (_, args) => {
  expect(parsed(...args)).toEqual({
    url: 'https://a.example',
    json: true,
    positionals: ['-CXf2kXb0Q6YtqzP'],
  })
})

test.each<[string, ...string[]]>([
  ['in the next word', '--url', '-CXf2kXb0Q6YtqzP', '-j'],
  ['in the same word', '-j', '--url=-CXf2kXb0Q6YtqzP'],
  ['before the end of options', '-j', '--url', '-CXf2kXb0Q6YtqzP', '--'],
])('an option takes such an id too: %s', (_, ...args) => {
  expect(parsed(...args)).toEqual({ url: '-CXf2kXb0Q6YtqzP', json: true, positionals: [] })
})

test('such an id and what stands behind the end of options keep their order', () => {
  expect(parsed('-CXf2kXb0Q6YtqzP', '-j', '--', '--url').positionals).toEqual([
    '-CXf2kXb0Q6YtqzP',
    '--url',
  ])
})

test.each(['-x', '-xyz', '--no-such-option-here', '--url'])(
  'what looks like an option is none of them: %s',
  (word) => {
    expect(() => parsed(word)).toThrow()
  },
)
