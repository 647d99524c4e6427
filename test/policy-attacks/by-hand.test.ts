/** What people type: commits and merges signed by git itself, approvals by ssh-keygen, and the same without a signature. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { folder } from '../git/mirrors.ts'
import {
  allowedSigners,
  BOT,
  carol,
  dave,
  defaultFiles,
  manifest,
  REPOSITORY_NAME,
  sha256Of,
} from '../git/policy-repository.ts'
import { describeWith } from '../policy/external-tool.ts'
import { rulesYaml } from '../policy/judging.ts'
import { sshKeygenProbe } from '../policy/ssh-keygen.ts'
import { attackScene } from './attack-scene.ts'

describeWith(sshKeygenProbe, 'by hand', () => {
  test('git commit -S, git merge -S and ssh-keygen -Y sign are all that it takes', {
    timeout: 60_000,
  }, async () => {
    const work = folder()
    const env = {
      PATH: process.env.PATH,
      HOME: work,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'Alice',
      GIT_AUTHOR_EMAIL: 'alice@example.com',
      GIT_COMMITTER_NAME: 'Alice',
      GIT_COMMITTER_EMAIL: 'alice@example.com',
    }
    const run = (program: string, ...args: readonly string[]) =>
      execFileSync(program, args, { env, cwd: work, encoding: 'utf8', stdio: 'pipe' })
    const key = (name: string) => {
      run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', name)
      return readFileSync(join(work, `${name}.pub`), 'utf8')
    }
    const signers = `alice ${key('alice')}bob ${key('bob')}${allowedSigners(carol, dave)}`
    const scene = await attackScene('a file', {
      files: { ...defaultFiles, 'trust/allowed_signers': signers },
    })

    const clone = join(work, 'clone')
    run('git', 'clone', '--quiet', scene.repository.path, clone)
    const git = (...args: readonly string[]) => run('git', '-C', clone, ...args)
    const write = (path: string, content: string) => {
      mkdirSync(dirname(join(clone, path)), { recursive: true })
      writeFileSync(join(clone, path), content)
      git('add', '--all')
    }
    git('config', 'gpg.format', 'ssh')
    git('config', 'user.signingKey', join(work, 'alice'))

    write(BOT, manifest({ generation: 43 }))
    git('commit', '--quiet', '-m', 'unsigned')
    git('push', '--quiet', 'origin', 'main')
    await scene.refuses('UnknownSigner', /not signed/)
    git('commit', '--quiet', '--amend', '-S', '-m', 'signed')
    git('push', '--quiet', '--force', 'origin', 'main')
    await scene.accepts()

    git('checkout', '--quiet', '-b', 'proposal')
    write('rules/base.yaml', rulesYaml(1))
    git('commit', '--quiet', '-m', 'a proposal, by whom does not matter')
    git('checkout', '--quiet', 'main')
    git('merge', '--quiet', '--no-ff', '-S', '-m', 'merge the proposal', 'proposal')
    git('push', '--quiet', 'origin', 'main')
    await scene.refuses('ApprovalMissing', /rules\/base\.yaml/)

    const statement = JSON.stringify({
      kind: 'Approval',
      repository: REPOSITORY_NAME,
      path: 'rules/base.yaml',
      sha256: sha256Of(rulesYaml(1)),
      generation: 1,
      notAfter: '2027-01-01T00:00:00Z',
    })
    writeFileSync(join(work, 'statement.json'), statement)
    const sign = ['-Y', 'sign', '-q', '-n', 'vouchsafe-approval@v1', '-f', join(work, 'bob')]
    run('ssh-keygen', ...sign, join(work, 'statement.json'))
    const place = `approvals/${sha256Of(statement)}`
    write(`${place}/statement.json`, statement)
    write(`${place}/bob.sig`, readFileSync(join(work, 'statement.json.sig'), 'utf8'))
    git('commit', '--quiet', '-S', '-m', 'bob approves')
    git('push', '--quiet', 'origin', 'main')
    const { judged } = await scene.accepts()
    expect(judged.map(({ principal, approvals }) => ({ principal, approvals }))).toEqual([
      { principal: 'alice', approvals: { 'rules/base.yaml': ['alice', 'bob'] } },
      { principal: 'alice', approvals: {} },
    ])
  })
})
