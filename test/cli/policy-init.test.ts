/** Does `policy init` leave a repository that the acceptance rule takes, with keys where they belong? */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { policyTools } from '#src/adapters/policy-tools.ts'
import { describeWith } from '../policy/external-tool.ts'
import { sshKeygenProbe } from '../policy/ssh-keygen.ts'
import { gitIn, policy, removeScratch, scratchFolder } from './policy-tools.ts'

afterAll(removeScratch)

/** Made anew, in a folder `policy` whose keys are beside it. */
async function init(...options: readonly string[]) {
  const path = join(scratchFolder(), 'policy')
  const { code, json, err } = await policy(['init', path, ...options, '--json'])
  expect([code, err]).toEqual([0, ''])
  return json
}

describe('vouchsafe policy init', () => {
  test('what it makes is accepted without a pin, by the trust digest and by the commit', async () => {
    const made = await init()
    const starts = [[], ['--pin', made.trustDigest], ['--pin', made.commit]]
    for (const start of starts) {
      const { code, json } = await policy(['verify', '--repository', made.path, '--json', ...start])
      expect([code, json.message]).toEqual([0, expect.stringContaining('is accepted')])
      expect(json).toMatchObject({
        condition: 'Synced',
        commit: made.commit,
        trustDigest: made.trustDigest,
      })
    }
    expect((await policy(['lint', made.path])).out).toMatch(/^No mistake in \d+ files\.$/m)
    expect((await policy(['test', made.path])).out).toContain('5 cases, all hold.')
  })

  test('another trust digest than its own is not begun with', async () => {
    const { path } = await init()
    const pin = `sha256:${'1'.repeat(64)}`
    const { code, json } = await policy(['verify', '--repository', path, '--pin', pin, '--json'])
    expect([code, json.accepted]).toEqual([2, false])
  })

  test('the first commit is signed by one and approved by two, with two in every threshold', async () => {
    const { path } = await init('--signer', 'carol', '--signer', 'dave', '--signer', 'erin')
    const { json } = await policy(['verify', '--repository', path, '--json'])
    expect(json.judged).toEqual([
      {
        commit: json.candidate,
        principal: 'carol',
        approvals: {
          'agents/prod/invoice-bot.yaml': ['carol', 'dave'],
          'rules/baseline.yaml': ['carol', 'dave'],
        },
      },
    ])
    const root = readFileSync(join(path, 'trust/root.yaml'), 'utf8')
    expect(root.match(/threshold: 2/g)).toHaveLength(4)
    expect(root).toContain('principals: [carol, dave, erin]')
  })

  test('one signer alone is asked for nobody else’s approval', async () => {
    const { path } = await init('--signer', 'carol')
    expect(existsSync(join(path, 'approvals'))).toBe(false)
    expect((await policy(['verify', '--repository', path])).code).toBe(0)
  })

  test('a heartbeat is signed by its own key, in a commit of its own', async () => {
    const { path, signers } = await init('--heartbeat')
    expect(signers).toEqual(['alice', 'bob', 'heartbeat'])
    const { code, json } = await policy(['verify', '--repository', path, '--json'])
    expect(code).toBe(0)
    expect(json.judged.map(({ principal }: { principal: string }) => principal)).toEqual([
      'alice',
      'heartbeat',
    ])
    expect(gitIn(path)('show', '--name-only', '--format=', 'HEAD').trim()).toBe('heartbeat.yaml')
  })

  test('keys are outside, each for its owner alone', async () => {
    const { path, keys } = await init()
    expect(keys).toBe(`${path}-keys`)
    for (const name of ['alice', 'bob']) {
      expect(statSync(join(keys, name)).mode & 0o777).toBe(0o600)
      expect(readFileSync(join(keys, name), 'utf8')).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY/)
      expect(readFileSync(join(keys, `${name}.pub`), 'utf8')).toMatch(
        new RegExp(`^ssh-ed25519 \\S+ ${name}\n$`),
      )
    }
    expect(statSync(keys).mode & 0o777).toBe(0o700)
    const committed = gitIn(path)('ls-files').trim().split('\n')
    expect(
      committed.filter((file) => /PRIVATE/.test(readFileSync(join(path, file), 'utf8'))),
    ).toEqual([])
  })

  test('the working folder is clean, and set to sign as the first signer', async () => {
    const { path, keys } = await init()
    const git = gitIn(path)
    expect(git('status', '--porcelain')).toBe('')
    expect(git('config', '--local', 'user.signingkey').trim()).toBe(join(keys, 'alice'))
    expect(git('config', '--local', 'gpg.format').trim()).toBe('ssh')
  })

  test('says the pins, and what to do next', async () => {
    const path = join(scratchFolder(), 'policy')
    const { out } = await policy(['init', path])
    const commit = gitIn(path)('rev-parse', 'HEAD').trim()
    for (const line of [
      `commit        ${commit}`,
      `VOUCHSAFE_POLICY=${path}`,
      'VOUCHSAFE_POLICY_PIN=sha256:',
      `cd ${path}`,
      'vouchsafe policy verify --repository .',
    ])
      expect(out).toContain(line)
  })

  test('nothing is overwritten: neither a folder with something in it nor a key', async () => {
    const folder = scratchFolder()
    mkdirSync(join(folder, 'policy'))
    writeFileSync(join(folder, 'policy/mine'), '')
    const used = await policy(['init', join(folder, 'policy'), '--json'])
    expect([used.code, used.json.error.detail]).toEqual([1, expect.stringContaining('holds mine')])

    mkdirSync(join(folder, 'keys'))
    writeFileSync(join(folder, 'keys/bob'), 'precious')
    const keys = await policy([
      'init',
      join(folder, 'other'),
      '--keys',
      join(folder, 'keys'),
      '--json',
    ])
    expect([keys.code, keys.json.error.detail]).toEqual([1, expect.stringContaining('holds bob')])
    expect(readFileSync(join(folder, 'keys/bob'), 'utf8')).toBe('precious')
    expect(existsSync(join(folder, 'other'))).toBe(false)
  })

  test.each([
    ['keys within the repository', ['--keys', 'policy/keys'], 'lies within the repository'],
    ['keys as the repository', ['--keys', 'policy'], 'lies within the repository'],
    ['the same signer twice', ['--signer', 'carol', '--signer', 'carol'], 'given twice'],
    ['a pattern for a signer', ['--signer', '*'], 'is a pattern'],
    ['a path for a signer', ['--signer', '../carol'], 'is no name of a principal'],
    ['the heartbeat’s name', ['--signer', 'heartbeat'], 'is taken'],
    ['a repository name with a space', ['--repository', 'my policy'], 'cannot name a policy'],
    ['two folders', ['another'], 'One DIRECTORY is taken'],
  ])('%s is refused, and nothing is made', async (_, options, detail) => {
    const folder = scratchFolder()
    const inFolder = options.map((each) => each.replace(/^policy/, join(folder, 'policy')))
    const { code, json } = await policy(['init', join(folder, 'policy'), ...inFolder, '--json'])
    expect([code, json.error.detail]).toEqual([1, expect.stringContaining(detail)])
    expect(existsSync(join(folder, 'policy'))).toBe(false)
  })

  test('where there is no git it says so', async () => {
    const tools = policyTools({ searchPath: '/nonexistent' })
    const { code, err } = await policy(['init', join(scratchFolder(), 'policy')], tools)
    expect([code, err]).toEqual([1, expect.stringContaining('is it installed?')])
  })
})

describeWith(sshKeygenProbe, 'what `policy init` made, with ssh-keygen', () => {
  test('git itself calls every commit good, and signs the next one by itself', async () => {
    const { path } = await init('--heartbeat')
    const git = gitIn(path)
    expect(git('log', '--format=%G? %GS').trim().split('\n')).toEqual(['G heartbeat', 'G alice'])
    writeFileSync(join(path, 'notes.md'), 'x\n')
    git('add', 'notes.md')
    git('commit', '--quiet', '--message', 'a note')
    expect(git('log', '-1', '--format=%G? %GS %an').trim()).toBe('G alice alice')
    expect((await policy(['verify', '--repository', path, '--last', 'HEAD^'])).code).toBe(0)
  })

  test('OpenSSH reads the private keys', async () => {
    const { keys } = await init()
    const line = execFileSync('ssh-keygen', ['-y', '-f', join(keys, 'bob')], { encoding: 'utf8' })
    expect(line.split(' ').slice(0, 2)).toEqual(
      readFileSync(join(keys, 'bob.pub'), 'utf8').split(' ').slice(0, 2),
    )
  })
})
