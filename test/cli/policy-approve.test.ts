/** Does an approval that `policy approve` makes with the system's ssh-keygen count where it must, and nowhere else? */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { describeWith } from '../policy/external-tool.ts'
import { sshKeygenProbe } from '../policy/ssh-keygen.ts'
import { gitIn, policy, removeScratch, scratchFolder } from './policy-tools.ts'

afterAll(removeScratch)

const prod = 'agents/prod/invoice-bot.yaml'
let folder: string
let keys: string
let git: ReturnType<typeof gitIn>
beforeEach(async () => {
  folder = join(scratchFolder(), 'policy')
  keys = `${folder}-keys`
  git = gitIn(folder)
  await policy(['init', folder, '--signer', 'alice', '--signer', 'bob', '--signer', 'carol'])
})

const key = (name: string) => join(keys, name)
const read = (path: string) => readFileSync(join(folder, path))
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function change(path: string, from: string, to: string): void {
  const text = read(path).toString()
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`)
  writeFileSync(join(folder, path), text.replace(from, to))
}

async function approve(by: string, ...args: readonly string[]) {
  const place = ['--repository', folder, '--json']
  return await policy(['approve', ...args, '--key', key(by), ...place])
}

async function verify(...args: readonly string[]) {
  const { code, json } = await policy(['verify', '--repository', folder, '--json', ...args])
  return { code, ...json }
}

describeWith(sshKeygenProbe, 'vouchsafe policy approve', () => {
  test('a change that waits for a second person is accepted with his approval', async () => {
    change(prod, 'generation: 1', 'generation: 2')
    git('commit', '--quiet', '--all', '--message', 'change')
    expect((await verify('--last', 'HEAD^')).condition).toBe('ApprovalMissing')

    const { code, json } = await approve('bob', prod)
    expect(code).toBe(0)
    const [made] = json.approvals
    expect(made).toMatchObject({
      kind: 'Approval',
      repository: expect.stringMatching(/^policy-[0-9a-f]{8}$/),
      path: prod,
      sha256: sha256(read(prod)),
      generation: 2,
      approvedBy: ['bob'],
      needs: [{ setting: 'spec.approvals.paths[0]', threshold: 2 }],
    })
    const folderName = `approvals/${sha256(read(made.statement))}`
    expect(made.statement).toBe(`${folderName}/statement.json`)
    expect(made.signature).toBe(`${folderName}/bob.sig`)

    git('add', 'approvals')
    git('commit', '--quiet', '--message', 'approved')
    const verdict = await verify('--last', 'HEAD~2')
    expect([verdict.code, verdict.judged[0].approvals]).toEqual([0, { [prod]: ['alice', 'bob'] }])
  })

  test('a second approver signs the same statement', async () => {
    change(prod, 'generation: 1', 'generation: 2')
    const first = await approve('bob', prod)
    const second = await policy(
      ['approve', prod, '--key', key('carol'), '--repository', folder, '--json'],
      { now: () => new Date(Date.now() + 3600_000) },
    )
    const [one, other] = [first.json.approvals[0], second.json.approvals[0]]
    expect(other.statement).toBe(one.statement)
    expect(other.notAfter).toBe(one.notAfter)
    expect(other.approvedBy).toEqual(['bob', 'carol'])
    expect(readdirSync(join(folder, one.statement, '..')).toSorted()).toEqual([
      'bob.sig',
      'carol.sig',
      'statement.json',
    ])
  })

  test('but not one that has ended, nor one with another end than asked for', async () => {
    change(prod, 'generation: 1', 'generation: 2')
    const first = await approve('bob', prod, '--not-after', '1h')
    const later = await policy(
      ['approve', prod, '--key', key('carol'), '--repository', folder, '--json'],
      { now: () => new Date(Date.now() + 2 * 3600_000) },
    )
    const asked = await approve('carol', prod, '--not-after', '2035-01-01T00:00:00Z')
    const statements = [first, later, asked].map(({ json }) => json.approvals[0].statement)
    expect(new Set(statements).size).toBe(3)
    expect(asked.json.approvals[0].notAfter).toBe('2035-01-01T00:00:00.000Z')
  })

  test('what was changed after the approval needs another', async () => {
    change(prod, 'generation: 1', 'generation: 2')
    await approve('bob', prod)
    change(prod, 'ttl: 240s', 'ttl: 300s')
    git('add', '--all')
    git('commit', '--quiet', '--message', 'change')
    expect((await verify('--last', 'HEAD^')).condition).toBe('ApprovalMissing')
  })

  test('several files at once, those under trust/ by the generation of their root', async () => {
    change('trust/root.yaml', 'generation: 1', 'generation: 7')
    writeFileSync(join(folder, 'trust/README.md'), 'who is who\n')
    const { json } = await approve('bob', 'trust/root.yaml', './trust/README.md', 'README.md')
    expect(
      json.approvals.map(
        (each: { path: string; generation: number; needs: readonly unknown[] }) => [
          each.path,
          each.generation,
          each.needs.length,
        ],
      ),
    ).toEqual([
      ['trust/root.yaml', 7, 1],
      ['trust/README.md', 7, 1],
      ['README.md', 0, 0],
    ])
    git('add', '--all')
    git('commit', '--quiet', '--message', 'trust')
    expect((await verify('--last', 'HEAD^')).code).toBe(0)
  })

  test.each([
    ['before it is committed', false],
    ['after it is committed', true],
  ])('a deletion, approved %s', async (_, isCommitted) => {
    rmSync(join(folder, prod))
    const without = await approve('bob', prod)
    expect([without.code, without.json.error.detail]).toEqual([
      1,
      expect.stringContaining(`${prod} is not in`),
    ])
    if (isCommitted) git('commit', '--quiet', '--all', '--message', 'gone')
    const { json } = await approve('bob', prod, '--delete')
    expect(json.approvals[0]).toMatchObject({ sha256: 'deleted', generation: 1 })
    git('add', '--all')
    git('commit', '--quiet', '--message', 'approved')
    expect((await verify('--last', isCommitted ? 'HEAD~2' : 'HEAD^')).code).toBe(0)
  })

  test('what leaves revoked/ is said to need the threshold, what is added is not', async () => {
    const file = 'revoked/revoked.yaml'
    const entry = `digests: [{value: "sha256:${'ab'.repeat(32)}", reason: leaked}]`
    change(file, 'digests: []', entry)
    change(file, 'generation: 1', 'generation: 2')
    expect((await approve('bob', file)).json.approvals[0].needs).toEqual([])
    git('commit', '--quiet', '--all', '--message', 'revoke')
    change(file, entry, 'digests: []')
    change(file, 'generation: 2', 'generation: 3')
    expect((await approve('bob', file)).json.approvals[0].needs).toMatchObject([
      { setting: 'spec.approvals.unrevoke', threshold: 2 },
    ])
  })

  test('a reset carries the branch over a rewrite', async () => {
    change(prod.replace('prod', 'dev'), 'generation: 1', 'generation: 2')
    git('commit', '--quiet', '--all', '--message', 'accepted, and then regretted')
    const from = git('rev-parse', 'HEAD').trim()
    git('reset', '--quiet', '--hard', 'HEAD^')
    writeFileSync(join(folder, 'README.md'), 'rewritten\n')
    git('commit', '--quiet', '--all', '--message', 'instead')
    const to = git('rev-parse', 'HEAD').trim()
    await approve('alice', '--reset', from, 'HEAD')
    const { json } = await approve('bob', '--reset', from, to)
    expect(json.approvals[0]).toMatchObject({
      kind: 'Reset',
      from,
      to,
      approvedBy: ['alice', 'bob'],
    })
    git('add', 'approvals')
    git('commit', '--quiet', '--message', 'reset')
    // What was left behind had raised the mark, and that outlives the reset.
    expect(await verify('--last', from)).toMatchObject({ code: 2, condition: 'RollbackOrRewrite' })
    change(prod.replace('prod', 'dev'), 'generation: 1', 'generation: 3')
    git('commit', '--quiet', '--all', '--message', 'above the mark')
    expect(await verify('--last', from)).toMatchObject({ code: 0 })
  })

  test('a key that ssh-agent holds, by its public half', async () => {
    const socket = join(keys, 'agent')
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
    const before = process.env.SSH_AUTH_SOCK
    try {
      while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 20))
      process.env.SSH_AUTH_SOCK = socket
      execFileSync('ssh-add', ['-q', key('bob')], { stdio: 'pipe' })
      rmSync(key('bob'))
      const { code, json } = await approve('bob.pub', prod)
      expect([code, json.principal]).toEqual([0, 'bob'])
    } finally {
      if (before === undefined) delete process.env.SSH_AUTH_SOCK
      else process.env.SSH_AUTH_SOCK = before
      agent.kill()
    }
  })

  test('a stranger’s key signs nothing, unless trust is just being changed and he says who he is', async () => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key('mallory')])
    const { code, json } = await approve('mallory', prod)
    expect([code, json.error.detail]).toEqual([
      1,
      expect.stringContaining('is not in trust/allowed_signers'),
    ])
    const named = await approve('mallory', prod, '--as', 'mallory')
    expect([named.code, named.json.principal]).toEqual([0, 'mallory'])
    // It is written, and counts for nobody.
    const next = await approve('bob', prod)
    expect(next.json.approvals[0].approvedBy).toEqual(['bob'])
  })

  test.each([
    ['another’s name', [prod, '--as', 'carol'], 'this key is bob’s'],
    ['an approval itself', ['approvals/x/statement.json'], 'is an approval itself'],
    ['a file that is none', ['agents/prod/nobody.yaml'], 'is not in'],
    ['a deletion of what is there', [prod, '--delete'], 'is still there'],
    ['a deletion of what never was', ['nothing.md', '--delete'], 'was never committed'],
    ['no file', [], 'PATH is missing'],
    ['an end in the past', [prod, '--not-after', '2020-01-01T00:00:00Z'], 'lies in the past'],
    ['an end that is none', [prod, '--not-after', '30 days'], 'RFC 3339'],
    ['one commit for a reset', ['--reset', 'HEAD'], 'takes two commits'],
    ['a commit that is none', ['--reset', '1'.repeat(40), 'nowhere'], 'nowhere'],
  ])('%s is refused', async (_, args, detail) => {
    const before = git('status', '--porcelain')
    const { code, json } = await approve('bob', ...args)
    expect([code, json.error.detail.replaceAll("'", '’')]).toEqual([
      1,
      expect.stringContaining(detail),
    ])
    expect(git('status', '--porcelain')).toBe(before)
  })

  test('a key that has ended, or may not approve', async () => {
    const line = read('trust/allowed_signers').toString()
    const [, bob = ''] = /^(bob .*)$/m.exec(line) ?? []
    for (const options of ['valid-before="20200101Z"', 'namespaces="git"']) {
      const changed = bob.replace(/namespaces="[^"]*"/, options)
      writeFileSync(join(folder, 'trust/allowed_signers'), line.replace(bob, changed))
      for (const named of [[], ['--as', 'bob']]) {
        const { code, json } = await approve('bob', prod, ...named)
        expect([code, json.error.detail]).toEqual([1, expect.stringContaining('count for nothing')])
      }
    }
  })

  test('what it says leads to the next step', async () => {
    change(prod, 'generation: 1', 'generation: 2')
    const { out } = await policy(['approve', prod, '--key', key('bob'), '--repository', folder])
    expect(out).toContain('Approved agents/prod/invoice-bot.yaml (sha256 ')
    expect(out).toContain(
      '1 of 2 (bob). Still needed: 1 approval by alice or carol; the signature of the commit counts as one.',
    )
    expect(out).toMatch(/^ {2}git add approvals\/[0-9a-f]{64} && git commit$/m)
  })

  test('a key file that is none is the signer’s fault, told in ssh-keygen’s words', async () => {
    const { code, json } = await approve('nobody', prod)
    expect([code, json.error.detail]).toEqual([1, expect.stringContaining('did not sign')])
  })
})
