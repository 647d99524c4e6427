/** Who gets to see a token or a key, and what git is told besides. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { GitCredentials } from '#src/adapters/git-credentials.ts'
import {
  faultOf,
  folder,
  mirrorOf,
  processesShowing,
  repositoryWith,
  serverOf,
} from '../git/mirrors.ts'
import { searchPath } from '../git/policy-repository.ts'
import { selfSigned } from '../self-signed.ts'

/** A file that holds what a test wants to keep secret. */
function secretFile(content: string): string {
  const file = join(folder(), 'secret')
  writeFileSync(file, content)
  return file
}

describe('credentials', () => {
  const ssh = { kind: 'ssh', keyFile: '/k', knownHostsFile: '/h' } as const
  test.each<[string, string, GitCredentials | undefined, string]>([
    [
      'a token for a folder',
      '/srv/policy',
      { kind: 'bearer', tokenFile: '/t' },
      'takes no credentials',
    ],
    ['an ssh key for HTTPS', 'https://forge.example/p', ssh, 'of no use over HTTP'],
    ['a token for ssh', 'git@forge.example:p', { kind: 'bearer', tokenFile: '/t' }, 'known_hosts'],
    ['nothing for ssh', 'git@forge.example:p', undefined, 'known_hosts'],
    [
      'a user name with a colon',
      'https://forge.example/p',
      { kind: 'basic', username: 'a:b', passwordFile: '/t' },
      'colons',
    ],
    [
      'a key file that ssh expands',
      'git@forge.example:p',
      { ...ssh, keyFile: `/$${'{HOME}'}/k` },
      'would interpret',
    ],
    [
      'hosts in two files',
      'git@forge.example:p',
      { ...ssh, knownHostsFile: '/h /i' },
      'would interpret',
    ],
    [
      'a key file that the shell expands',
      'git@forge.example:p',
      { ...ssh, keyFile: '/k;x' },
      'would interpret',
    ],
  ])('refuse %s', async (_, remote, credentials, told) => {
    await expect(mirrorOf({ remote, credentials })).rejects.toThrow(told)
  })

  test('are read at every fetch, so that a rotated token needs no restart', async () => {
    const repository = await repositoryWith()
    const server = await serverOf(repository, { authorization: 'Bearer second-token' })
    const tokenFile = secretFile('first-token\n')
    const mirror = await mirrorOf({
      remote: server.address,
      credentials: { kind: 'bearer', tokenFile },
    })
    expect(await faultOf(mirror.fetch())).toContain('check the token')
    writeFileSync(tokenFile, 'second-token\n')
    expect(await mirror.fetch()).toBe(repository.first)
    expect(new Set(server.authorizations)).toEqual(
      new Set(['Bearer first-token', 'Bearer second-token']),
    )
  })

  test('of a user are sent as forges take them', async () => {
    const repository = await repositoryWith()
    const authorization = `Basic ${Buffer.from('ci-bot:pa:ss').toString('base64')}`
    const server = await serverOf(repository, { authorization })
    const mirror = await mirrorOf({
      remote: server.address,
      credentials: { kind: 'basic', username: 'ci-bot', passwordFile: secretFile('pa:ss') },
    })
    expect(await mirror.fetch()).toBe(repository.first)
  })

  test.each([
    ['is empty', ''],
    ['has two lines', 'token\nX-Other: header'],
    ['is binary', '\0\x01'],
    ['is long', 'x'.repeat(8193)],
  ])('in a file that %s are not sent', async (_, content) => {
    const server = await serverOf(await repositoryWith())
    const mirror = await mirrorOf({
      remote: server.address,
      credentials: { kind: 'bearer', tokenFile: secretFile(content) },
    })
    const fault = await faultOf(mirror.fetch())
    expect(fault).toContain('must hold one token')
    expect(fault).not.toContain('X-Other')
    expect(server.requests).toEqual([])
  })

  test('in a file that is not there are a fault that names it', async () => {
    const server = await serverOf(await repositoryWith())
    const mirror = await mirrorOf({
      remote: server.address,
      credentials: { kind: 'bearer', tokenFile: '/nonexistent/token' },
    })
    expect(await faultOf(mirror.fetch())).toContain('/nonexistent/token')
  })

  test('show neither on a command line, nor in a message, nor to another server', async () => {
    const repository = await repositoryWith()
    const [server, other] = [await serverOf(repository), await serverOf(repository)]
    const token = 'very-secret-token'
    const mirror = await mirrorOf({
      remote: server.address,
      credentials: { kind: 'bearer', tokenFile: secretFile(token) },
      limits: { timeoutMs: 1_500 },
    })
    server.behave({ kind: 'silent' })
    const waiting = faultOf(mirror.fetch())
    while (server.requests.length === 0) await pause(10)
    expect(processesShowing(server.address)).not.toEqual([])
    expect(processesShowing(token)).toEqual([])
    await waiting
    // It knows the token, and tries to have it written into our log.
    server.behave({ kind: 'answering', status: 403, body: `your token is ${token}\n` })
    const fault = await faultOf(mirror.fetch())
    expect(fault).toContain('check the token')
    expect(fault).not.toContain(token)
    server.behave({ kind: 'redirecting', to: new URL(other.address).origin })
    await faultOf(mirror.fetch())
    expect(other.requests).toEqual([])
  })
})

test('git gets this environment and nothing else, and its secrets are not repeated', async () => {
  const tools = folder()
  writeFileSync(
    join(tools, 'git'),
    `#!/bin/sh\n[ "$1" = version ] && echo git version 2.39.5 && exit\nPATH=${searchPath}\n` +
      `env > ${tools}/environment\nenv | sed -n 's/.*Bearer/fatal: Bearer/p' >&2\nexit 128\n`,
    { mode: 0o755 },
  )
  const mirror = await mirrorOf({
    remote: 'https://forge.example/p',
    searchPath: tools,
    credentials: { kind: 'bearer', tokenFile: secretFile('very-secret-token') },
  })
  expect(await faultOf(mirror.fetch())).toContain('git says: Bearer ***')
  const lines = readFileSync(join(tools, 'environment'), 'utf8').trimEnd().split('\n')
  const names = lines.map((line) => line.slice(0, line.indexOf('=')))
  expect(names.filter((name) => !/^GIT_CONFIG_(KEY|VALUE)_\d+$/.test(name)).toSorted()).toEqual([
    'GIT_ALLOW_PROTOCOL',
    'GIT_ATTR_NOSYSTEM',
    'GIT_CONFIG_COUNT',
    'GIT_CONFIG_GLOBAL',
    'GIT_CONFIG_NOSYSTEM',
    'GIT_NO_LAZY_FETCH',
    'GIT_NO_REPLACE_OBJECTS',
    'GIT_OPTIONAL_LOCKS',
    'GIT_TERMINAL_PROMPT',
    'HOME',
    'LC_ALL',
    'PATH',
    'PWD',
    // The shell's own.
    ...names.filter((name) => ['SHLVL', '_', 'OLDPWD'].includes(name)).toSorted(),
  ])
  expect(lines).toContain('GIT_ALLOW_PROTOCOL=https')
})

describe('over HTTPS', () => {
  test('the machine’s roots decide, or those that were given, and no variable', async () => {
    const { key, cert } = await selfSigned()
    const repository = await repositoryWith()
    const server = await serverOf(repository, { tls: { key, cert } })
    process.env.GIT_SSL_NO_VERIFY = '1'
    try {
      const stranger = await mirrorOf({ remote: server.address })
      expect(await faultOf(stranger.fetch())).toMatch(/certificate|SSL/)
    } finally {
      delete process.env.GIT_SSL_NO_VERIFY
    }
    const authoritiesFile = join(folder(), 'roots.pem')
    writeFileSync(authoritiesFile, cert)
    const mirror = await mirrorOf({ remote: server.address, authoritiesFile })
    expect(await mirror.fetch()).toBe(repository.first)
  })
})

/** For 127.0.0.1, which is its own authority. */
describe('over ssh', () => {
  /** Writes down what git wants of ssh, and then runs the command here. */
  async function scene() {
    const repository = await repositoryWith()
    const tools = folder()
    writeFileSync(
      join(tools, 'ssh'),
      `#!/bin/sh\nprintf '%s\\n' "$@" > ${tools}/said\nfor last; do :; done\nPATH=${searchPath} exec sh -c "$last"\n`,
    )
    chmodSync(join(tools, 'ssh'), 0o755)
    const files = { keyFile: join(tools, 'key'), knownHostsFile: join(tools, 'known_hosts') }
    for (const file of Object.values(files)) writeFileSync(file, '', { mode: 0o600 })
    const mirror = await mirrorOf({
      remote: `git@forge.example:${repository.path}`,
      searchPath: `${tools}:${searchPath}`,
      credentials: { kind: 'ssh', ...files },
    })
    const commit = await mirror.fetch()
    const said = readFileSync(join(tools, 'said'), 'utf8').trimEnd().split('\n')
    return { repository, commit, said, files }
  }

  test('the branch is fetched', async () => {
    const { repository, commit } = await scene()
    expect(commit).toBe(repository.first)
  })

  // Where there is no ssh to ask, this is not known; in CI there must be one.
  const isUnknown = spawnSync('ssh', ['-V']).error !== undefined && !process.env.CI
  test.skipIf(isUnknown)(
    'ssh itself understands: this key, these hosts, and nobody is asked',
    async () => {
      const { said, files } = await scene()
      const host = said.indexOf('git@forge.example')
      expect(host).toBeGreaterThan(0)
      // -G prints what it would do, and does nothing.
      const printed = execFileSync('ssh', ['-G', ...said.slice(0, host + 1)], { encoding: 'utf8' })
      const lines = printed.trimEnd().split('\n')
      expect(lines).toEqual(
        expect.arrayContaining([
          'user git',
          'hostname forge.example',
          'batchmode yes',
          'stricthostkeychecking true',
          `userknownhostsfile ${files.knownHostsFile}`,
          'globalknownhostsfile /dev/null',
          `identityfile ${files.keyFile}`,
          'identitiesonly yes',
          'identityagent none',
          'forwardagent no',
          'clearallforwardings yes',
          'permitlocalcommand no',
          'connecttimeout 15',
        ]),
      )
      expect(
        lines.filter((line) => /^(identityfile|proxycommand|controlpath) /.test(line)),
      ).toEqual([`identityfile ${files.keyFile}`])
    },
  )
})
