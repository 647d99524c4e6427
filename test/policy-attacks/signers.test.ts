/** Whoever pushes without the right to: strangers, holders of keys that ended, and people who help themselves to more. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { signSsh } from '#src/policy/signatures/ssh-signature.ts'
import {
  alice,
  allowedSigners,
  approval,
  BOT,
  bob,
  carol,
  dave,
  defaultFiles,
  mallory,
  manifest,
  rootSpec,
  rootYaml,
  signerLine,
} from '../git/policy-repository.ts'
import { attackScene, describeAttacks } from './attack-scene.ts'

const DEV = 'agents/dev/invoice-bot.yaml'
const newer = { [BOT]: manifest({ generation: 43 }) }

function trustChange(root: string, signers: string, generation: number) {
  return {
    'trust/root.yaml': root,
    'trust/allowed_signers': signers,
    ...approval({ path: 'trust/root.yaml', content: root, generation }, bob),
    ...approval({ path: 'trust/allowed_signers', content: signers, generation }, bob),
  }
}

describeAttacks('keys', (transport) => {
  test('an unknown signer', async () => {
    const { contrast } = await attackScene(transport)
    await contrast({
      attack: [{ files: newer, by: mallory }],
      condition: 'UnknownSigner',
      says: [/not in trust\/allowed_signers/],
      honest: [{ files: newer, by: alice }],
    })
  })

  test('an unknown signer who writes another name into his commit', async () => {
    const { contrast } = await attackScene(transport)
    const committer = { name: 'alice', email: 'alice@example.com' }
    await contrast({
      attack: [{ files: newer, by: mallory, committer }],
      condition: 'UnknownSigner',
      honest: [{ files: newer, by: alice, committer: { name: 'mallory' } }],
    })
  })

  test('no signature at all, below one that is good', async () => {
    const { contrast } = await attackScene(transport)
    await contrast({
      attack: [{ files: newer, by: 'nobody' }, { by: alice }],
      condition: 'UnknownSigner',
      says: [/not signed/],
      honest: [{ files: newer, by: alice }, { by: alice }],
    })
  })

  test('a signature that was made for something else than commits', async () => {
    const { contrast } = await attackScene(transport)
    const sign = (namespace: string) => (payload: Uint8Array) =>
      signSsh(alice.privateKey, payload, namespace)
    await contrast({
      attack: [{ files: newer, sign: sign('vouchsafe-approval@v1') }],
      condition: 'UnknownSigner',
      says: [/was made for the namespace vouchsafe-approval@v1/],
      honest: [{ files: newer, sign: sign('git') }],
    })
  })

  test('a backdated commit with an expired key', async () => {
    const signers = (until: string) =>
      allowedSigners(alice, bob, carol) + signerLine(dave, `valid-before="${until}"`)
    const change = {
      files: { [DEV]: manifest() },
      by: dave,
      at: new Date('2026-05-01T00:00:00Z'),
      committer: { at: new Date('2026-05-01T00:00:00Z') },
    }
    const expired = { ...defaultFiles, 'trust/allowed_signers': signers('20260601Z') }
    const { repository, refuses, state } = await attackScene(transport, { files: expired })
    await repository.commit(change)
    await refuses(
      'UnknownSigner',
      /was valid until 2026-06-01.*committer's own time does not count/,
    )
    expect(state().commit).toBe(repository.first)
    // Git itself believes the commit.
    const signersFile = join(repository.path, 'signers')
    repository.gitWith('', 'config', 'gpg.ssh.allowedSignersFile', signersFile)
    execFileSync('sh', [
      '-c',
      `git --git-dir "$1" show main:trust/allowed_signers > "$2"`,
      'sh',
      repository.path,
      signersFile,
    ])
    expect(() => repository.git('verify-commit', 'main')).not.toThrow()

    const valid = { ...defaultFiles, 'trust/allowed_signers': signers('20270101Z') }
    const honest = await attackScene(transport, { files: valid })
    await honest.repository.commit(change)
    await honest.accepts()
  })

  test('a commit that was seen in time stays good when its key ends before it is accepted', async () => {
    const signers = allowedSigners(alice, bob, carol) + signerLine(dave, 'valid-before="20260601Z"')
    const files = { ...defaultFiles, 'trust/allowed_signers': signers }
    const scene = await attackScene(transport, { files, at: '2026-05-01T00:00:00Z' })
    await scene.repository.commit({ files: { [DEV]: 'broken: [' }, by: dave })
    await scene.refuses('SchemaInvalid')
    scene.setClock('2026-07-01T00:00:00Z')
    await scene.repository.commit({ files: { [DEV]: manifest() }, by: alice })
    await scene.accepts()
  })

  test('refs/replace, on the server and in the clone', async () => {
    const { repository, refuses, accepts, directory } = await attackScene(transport)
    const bad = await repository.commit({ files: newer, by: mallory })
    const good = await repository.commit({ files: newer, by: alice, parents: [repository.first] })
    repository.point(bad)
    repository.git('replace', bad, good)
    await refuses('UnknownSigner')
    // The clone holds the good one by now, so that it can be replaced there too.
    repository.point(good)
    for (const clone of gitFolders(directory)) {
      git(clone, 'fetch', '--quiet', repository.path, good)
      git(clone, 'replace', bad, good)
      expect(git(clone, 'log', '-1', '--format=%an', bad)).toBe('alice')
    }
    repository.git('replace', '-d', bad)
    repository.point(bad)
    await refuses('UnknownSigner')
    repository.point(good)
    await accepts()
  })

  test('a signer who admits himself', async () => {
    const { contrast } = await attackScene(transport)
    const signers = allowedSigners(alice, bob, carol, dave, mallory)
    const roles = [...rootSpec.roles, { name: 'more', principals: ['mallory'], paths: ['**'] }]
    const files = trustChange(rootYaml({ generation: 2, spec: { ...rootSpec, roles } }), signers, 2)
    await contrast({
      attack: [{ files: { ...files, ...newer }, by: mallory }],
      condition: 'UnknownSigner',
      says: [/not in trust\/allowed_signers/],
      honest: [
        { files, by: alice },
        { files: newer, by: mallory },
      ],
    })
  })

  test('a signer who gives himself another role', async () => {
    const { contrast } = await attackScene(transport)
    const roles = [{ name: 'owners', principals: ['alice', 'bob', 'carol', 'dave'], paths: ['**'] }]
    const root = rootYaml({ generation: 2, spec: { ...rootSpec, roles } })
    const files = {
      'trust/root.yaml': root,
      ...approval({ path: 'trust/root.yaml', content: root, generation: 2 }, bob, carol),
    }
    await contrast({
      attack: [{ files, by: dave }],
      condition: 'UnknownSigner',
      says: [/dave signed it, and it changes trust\/root\.yaml, which lies in no role of dave/],
      honest: [
        { files, by: alice },
        { files: newer, by: dave },
      ],
    })
  })

  test('a key that one commit removes and the next one of the same fetch uses', async () => {
    const { contrast } = await attackScene(transport)
    const root = rootYaml({
      generation: 2,
      spec: { ...rootSpec, roles: rootSpec.roles.slice(0, 1) },
    })
    const files = trustChange(root, allowedSigners(alice, bob, carol), 2)
    const work = { files: { [DEV]: manifest() }, by: dave }
    await contrast({
      attack: [{ files }, work],
      condition: 'UnknownSigner',
      says: [/not in trust\/allowed_signers/],
      honest: [work, { files }],
    })
  })

  test('two signatures in one commit, a known one and a stranger’s', async () => {
    const { contrast } = await attackScene(transport)
    const both = (payload: Uint8Array) =>
      `${signSsh(alice.privateKey, payload, 'git').trimEnd()}\n${signSsh(mallory.privateKey, payload, 'git')}`
    await contrast({
      attack: [{ files: newer, sign: both }],
      condition: 'UnknownSigner',
      honest: [{ files: newer, sign: (payload) => signSsh(alice.privateKey, payload, 'git') }],
    })
  })

  test('all of it in a SHA-256 repository', async () => {
    const { contrast, state } = await attackScene(transport, { objectFormat: 'sha256' })
    expect(state().commit).toHaveLength(64)
    await contrast({
      attack: [{ files: newer, by: mallory }],
      condition: 'UnknownSigner',
      honest: [{ files: newer, by: alice }],
    })
  })
})

/** Whatever the mirror made: folders with objects in them. */
function gitFolders(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('HEAD') && !name.includes('refs'))
    .map((name) => join(directory, name, '..'))
}

function git(gitDir: string, ...args: readonly string[]): string {
  const env = { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
  return execFileSync('git', ['--git-dir', gitDir, ...args], {
    env,
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim()
}
