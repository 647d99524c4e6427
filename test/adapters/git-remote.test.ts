/** Which addresses and branches are taken. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readBranch, readRemote } from '#src/adapters/git-remote.ts'
import { Problem } from '#src/problems.ts'

describe('a remote is', () => {
  test.each([
    ['/srv/policy', 'file', '/srv/policy'],
    ['/srv/odd:name', 'file', '/srv/odd:name'],
    ['policy', 'file', join(process.cwd(), 'policy')],
    ['file:///srv/my%20policy', 'file', '/srv/my policy'],
    ['https://forge.example/team/policy.git', 'https', 'https://forge.example/team/policy.git'],
    ['HTTPS://forge.example:8443/p', 'https', 'https://forge.example:8443/p'],
    ['http://127.0.0.1:3000/p', 'http', 'http://127.0.0.1:3000/p'],
    ['http://[::1]/p', 'http', 'http://[::1]/p'],
    ['http://localhost/p', 'http', 'http://localhost/p'],
    ['git@forge.example:team/policy.git', 'ssh', 'git@forge.example:team/policy.git'],
    ['ssh://git@forge.example:2222/policy', 'ssh', 'ssh://git@forge.example:2222/policy'],
  ])('%s', (text, protocol, address) => {
    expect(readRemote(text)).toEqual({ protocol, address })
  })

  test.each([
    ['', 'is empty'],
    ['--upload-pack=touch /tmp/x', 'would be an option'],
    ['-oProxyCommand=x', 'would be an option'],
    ['ext::sh -c touch% /tmp/x', 'is none of'],
    ['fd::17', 'is none of'],
    ['http::https://forge.example/p', 'is none of'],
    ['git://forge.example/p', 'is none of'],
    ['ftp://forge.example/p', 'is none of'],
    ['http://forge.example/p', 'write https://'],
    ['http://127.0.0.1.evil.example/p', 'write https://'],
    ['http://localhost.evil.example/p', 'write https://'],
    ['https://alice:secret@forge.example/p', 'holds a password'],
    ['https://alice@forge.example/p', 'holds a user name'],
    ['https://forge.example/p?x=1', 'has a query'],
    ['file://host/p', 'names a host'],
    ['ssh://-oProxyCommand=x/p', 'ssh might take'],
    ['ssh://git@-x/p', 'ssh might take'],
    ['ssh://-l@host/p', 'ssh might take'],
    ['ssh://git@host/-p', 'names no repository'],
    ['-git@host:p', 'would be an option'],
    ['git@host:-p', 'is none of'],
    ['git@-host:p', 'is none of'],
    ['host:p', 'is none of'],
    ['/srv/policy\n', 'cannot be seen'],
  ])('not %j', (text, told) => {
    expect(() => readRemote(text)).toThrow(Problem)
    expect(() => readRemote(text)).toThrow(told)
    expect(() => readRemote(text)).not.toThrow('secret')
  })

  test('of a branch that needs no quoting', () => {
    for (const good of ['main', 'release/v1.2', 'a_b+c=d@e-f']) expect(readBranch(good)).toBe(good)
    for (const bad of [
      '',
      '-x',
      '--all',
      'a b',
      'a..b',
      'a.lock',
      'a.',
      '/a',
      'a/',
      'a//b',
      '.a',
      '*',
      'a:b',
      'a^',
      'a~1',
      'a@{1}',
      '@{u}',
      'a\nb',
      'x'.repeat(201),
    ])
      expect(() => readBranch(bad), JSON.stringify(bad)).toThrow('is not taken for a branch')
  })
})
