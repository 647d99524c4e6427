/** Webhooks as settings: in the file and as a variable the same, with their secrets apart, and every mistake told without them. */
import { describe, expect, test } from 'vitest'
import { webhookEvents } from '#src/config/webhook-settings.ts'
import { readConfig } from '#src/config.ts'

const SECRET = `whsec_${Buffer.alloc(32, 0x5e).toString('base64')}`
const env = {
  VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
  VOUCHSAFE_POLICY: '/srv/policy',
  VOUCHSAFE_POLICY_PIN: 'a'.repeat(40),
  VOUCHSAFE_KEY_ENCRYPTION_KEY: '11'.repeat(32),
}

function read(webhooks: string | object, files: Readonly<Record<string, string>> = {}) {
  const given = { '/secret': SECRET, ...files }
  const isText = typeof webhooks === 'string'
  return readConfig({
    env: { ...env, ...(isText ? { VOUCHSAFE_WEBHOOKS: webhooks } : { VOUCHSAFE_CONFIG: '/file' }) },
    readText(path) {
      if (path === '/file') return JSON.stringify({ webhooks })
      const text = given[path as keyof typeof given]
      if (text === undefined) throw new Error('there is no such file')
      return text
    },
  })
}

test('a variable says what the file says', () => {
  const text = read('soc https://soc.example.com/hook /secret session.changed+ban.changed')
  const file = read([
    {
      name: 'soc',
      url: 'https://soc.example.com/hook',
      secretFile: '/secret',
      events: ['session.changed', 'ban.changed'],
    },
  ])
  expect(text).toEqual(file)
  if ('mistakes' in text) throw new Error(text.mistakes.join())
  expect(text.config.webhooks).toMatchObject([
    {
      name: 'soc',
      url: 'https://soc.example.com/hook',
      events: ['session.changed', 'ban.changed'],
    },
  ])
  expect(text.secrets.webhooks.get('soc')).toEqual(new Uint8Array(32).fill(0x5e))
  expect(JSON.stringify(text.config)).not.toContain(SECRET.slice(6))
})

test('several stand in one variable; each token that falls is only told to whoever asks for it', () => {
  const reading = read(
    'a https://a.example /secret, b http://127.0.0.1:9000/x /secret token.revoked',
  )
  if ('mistakes' in reading) throw new Error(reading.mistakes.join())
  expect(reading.config.webhooks.map(({ events }) => events)).toEqual([
    webhookEvents.filter((each) => each !== 'token.revoked'),
    ['token.revoked'],
  ])
})

test('none is none', () => {
  const reading = read('')
  expect('config' in reading && reading.config.webhooks).toEqual([])
})

describe('is refused', () => {
  test.each<[string, string | object, string]>([
    [
      'plain http to another machine',
      'a http://soc.example.com /secret',
      'must be an https address',
    ],
    [
      'credentials in the address',
      'a https://u:p@soc.example.com /secret',
      'must be an https address',
    ],
    ['an event that there is not', 'a https://a.example /secret all', 'must be some of'],
    ['too many words', 'a https://a.example /secret all more', 'must be a list'],
    [
      'a name twice',
      'a https://a.example /secret, a https://b.example /secret',
      'a name of its own',
    ],
    ['a name with a slash', 'a/b https://a.example /secret', 'lower-case letters'],
    ['a file that is not there', 'a https://a.example /missing', 'cannot be read'],
    ['a secret without its prefix', 'a https://a.example /bare', 'must hold whsec_'],
    ['a short secret', 'a https://a.example /short', '24 to 64 bytes'],
    [
      'another member',
      [{ name: 'a', url: 'https://a.example', secretFile: '/secret', secret: 'x' }],
      'is not a setting',
    ],
  ])('%s', (_, webhooks, says) => {
    const reading = read(webhooks, {
      '/bare': Buffer.alloc(32, 0x5e).toString('base64'),
      '/short': `whsec_${Buffer.alloc(8, 0x5e).toString('base64')}`,
    })
    const mistakes = 'mistakes' in reading ? reading.mistakes.join('\n') : 'none'
    expect(mistakes).toContain(says)
    expect(mistakes).not.toContain(Buffer.alloc(8, 0x5e).toString('base64').slice(0, 8))
  })
})
