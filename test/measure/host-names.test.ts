import { expect, it } from 'vitest'
import { hostNames } from '../../enclave/measure/host-names.ts'

it('knows an address by its allowed name, for some time after it left the answers', async () => {
  let now = 0
  let answers: Record<string, string[]> = { 'api.example.com': ['192.0.2.1', '2001:db8::1'] }
  const resolve = async (host: string) => {
    const found = answers[host]
    if (!found) throw new Error('ENOTFOUND')
    return found
  }
  const hosts = ['api.example.com', 'absent.example.com', '198.51.100.7']
  const names = await hostNames({ hosts, resolve, clock: () => now })
  expect(names.addresses()).toEqual(['198.51.100.7', '192.0.2.1', '2001:db8::1'])
  expect(names.hostOf('192.0.2.1')).toBe('api.example.com')
  expect(names.hostOf('::ffff:192.0.2.1')).toBe('api.example.com')
  expect(names.hostOf('198.51.100.7')).toBe('198.51.100.7')
  expect(names.hostOf('203.0.113.9')).toBe('')
  answers = { 'api.example.com': ['192.0.2.2'] }
  now = 60_000
  await names.refresh()
  expect(names.hostOf('192.0.2.1')).toBe('api.example.com')
  now = 700_000
  await names.refresh()
  expect(names.hostOf('192.0.2.1')).toBe('')
  expect(names.hostOf('192.0.2.2')).toBe('api.example.com')
  names.close()
})
