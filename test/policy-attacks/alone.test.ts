/** Whoever acts alone where several are asked: with trust, rules and revocations, and with approvals that are not what they seem. */
import { test } from 'vitest'
import { sshKeyOf } from '#src/policy/signatures/ssh-key.ts'
import {
  type ApprovalOf,
  alice,
  allowedSigners,
  approval,
  BOT,
  bob,
  carol,
  dave,
  defaultFiles,
  manifest,
  person,
  rootSpec,
  rootYaml,
  signerLine,
} from '../git/policy-repository.ts'
import { revokedYaml, rulesYaml } from '../policy/judging.ts'
import { attackScene, describeAttacks } from './attack-scene.ts'

const RULES = 'rules/base.yaml'
const rules = { [RULES]: rulesYaml(1) }
const needed: ApprovalOf = { path: RULES, content: rulesYaml(1), generation: 1 }

describeAttacks('one signer alone', (transport) => {
  test('edits trust', async () => {
    const { contrast } = await attackScene(transport)
    const spec = {
      ...rootSpec,
      approvals: { ...rootSpec.approvals, trust: { threshold: 1, principals: ['alice'] } },
    }
    const root = rootYaml({ generation: 2, spec })
    await contrast({
      attack: [{ files: { 'trust/root.yaml': root } }],
      condition: 'ApprovalMissing',
      says: [
        /spec\.approvals\.trust/,
        'vouchsafe policy approve trust/root.yaml --key ~/.ssh/id_ed25519',
      ],
      honest: [
        {
          files: {
            'trust/root.yaml': root,
            ...approval({ path: 'trust/root.yaml', content: root, generation: 2 }, carol),
          },
        },
      ],
    })
  })

  test('edits trust, and then only what the new trust lets him', async () => {
    const { contrast } = await attackScene(transport)
    const alone = { threshold: 1, principals: ['alice'] }
    const approvals = { trust: alone, rules: alone, unrevoke: alone }
    const root = rootYaml({ generation: 2, spec: { ...rootSpec, approvals } })
    await contrast({
      attack: [{ files: { 'trust/root.yaml': root, ...rules } }, { files: { 'README.md': 'x' } }],
      condition: 'ApprovalMissing',
      honest: [
        {
          files: {
            'trust/root.yaml': root,
            ...approval({ path: 'trust/root.yaml', content: root, generation: 2 }, bob),
          },
        },
        { files: rules },
      ],
    })
  })

  test('edits rules', async () => {
    const { contrast } = await attackScene(transport)
    await contrast({
      attack: [{ files: rules }],
      condition: 'ApprovalMissing',
      says: [/spec\.approvals\.rules/],
      honest: [{ files: { ...rules, ...approval(needed, bob) } }],
    })
  })

  test('moves rules out of their folder', async () => {
    const { repository, accepts, contrast } = await attackScene(transport)
    await repository.commit({ files: { ...rules, ...approval(needed, bob) } })
    await accepts()
    const move = { [RULES]: null, 'config/base.yaml': rulesYaml(1) }
    await contrast({
      attack: [{ files: move }],
      condition: 'ApprovalMissing',
      says: [/its deletion/],
      honest: [{ files: { ...move, ...approval({ ...needed, content: null }, bob) } }],
    })
  })

  test('takes his key off the revocations', async () => {
    const { fingerprint } = sshKeyOf(dave.publicKey)
    const path = 'revoked/keys.yaml'
    const { repository, accepts, contrast } = await attackScene(transport)
    await repository.commit({ files: { [path]: revokedYaml(1, { signerKeys: [fingerprint] }) } })
    await accepts()
    const empty = revokedYaml(2, {})
    await contrast({
      attack: [{ files: { [path]: empty } }],
      condition: 'ApprovalMissing',
      says: [/spec\.approvals\.unrevoke/],
      honest: [
        { files: { [path]: empty, ...approval({ path, content: empty, generation: 2 }, bob) } },
      ],
    })
  })

  test('breaks the file of revocations, and mends it without them', async () => {
    const path = 'revoked/keys.yaml'
    const { repository, accepts, contrast } = await attackScene(transport)
    const listed = { signerKeys: [sshKeyOf(dave.publicKey).fingerprint] }
    await repository.commit({ files: { [path]: revokedYaml(1, listed) } })
    await accepts()
    await contrast({
      attack: [{ files: { [path]: 'broken' } }, { files: { [path]: revokedYaml(2, {}) } }],
      condition: 'ApprovalMissing',
      honest: [{ files: { [path]: null, 'revoked/people.yaml': revokedYaml(1, listed) } }],
    })
  })

  test('votes twice, with two keys and with his signature', async () => {
    const second = person('alice', 'second key')
    const signers = defaultFiles['trust/allowed_signers'] + signerLine(second)
    const files = { ...defaultFiles, 'trust/allowed_signers': signers }
    const { contrast } = await attackScene(transport, { files })
    const own = {
      ...approval(needed, alice),
      ...approval({ ...needed, notAfter: '2031-01-01T00:00:00Z' }, second),
    }
    await contrast({
      attack: [{ files: { ...rules, ...own } }],
      condition: 'ApprovalMissing',
      says: [/has 1: alice/],
      honest: [{ files: { ...rules, ...own, ...approval(needed, alice, bob) } }],
    })
  })
})

describeAttacks('an approval', (transport) => {
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    ['replayed for another path', approval({ ...needed, path: 'rules/other.yaml' }, bob), /has 1/],
    [
      'replayed from another tenant’s repository',
      approval({ ...needed, repository: 'another-tenant' }, bob),
      /is for the repository another-tenant/,
    ],
    [
      'replayed for another generation',
      approval({ ...needed, generation: 9 }, bob),
      /is for generation 9/,
    ],
    ['that has ended', approval({ ...needed, notAfter: '2026-06-01T00:00:00Z' }, bob), /ended at/],
    ['whose statement was tampered with', tampered(), /it was changed after/],
  ]
  test.each(cases)('%s', async (_, files, says) => {
    const { contrast } = await attackScene(transport)
    await contrast({
      attack: [{ files: { ...rules, ...files } }],
      condition: 'ApprovalMissing',
      says: [says],
      honest: [{ files: { ...rules, ...files } }, { files: approval(needed, bob), by: dave }],
    })
  })

  test('of somebody who has been removed', async () => {
    const { repository, accepts, contrast } = await attackScene(transport)
    const two = { threshold: 2, principals: ['alice', 'carol'] }
    const root = rootYaml({
      generation: 2,
      spec: {
        roles: [{ name: 'owners', principals: ['alice', 'carol'], paths: ['**'] }],
        approvals: { trust: two, rules: two, unrevoke: two },
      },
    })
    const signers = allowedSigners(alice, carol)
    await repository.commit({
      files: {
        'trust/root.yaml': root,
        'trust/allowed_signers': signers,
        ...approval({ path: 'trust/root.yaml', content: root, generation: 2 }, bob),
        ...approval({ path: 'trust/allowed_signers', content: signers, generation: 2 }, bob),
      },
    })
    await accepts()
    await contrast({
      attack: [{ files: { ...rules, ...approval(needed, bob) } }],
      condition: 'ApprovalMissing',
      honest: [{ files: { ...rules, ...approval(needed, carol) } }],
    })
  })

  test('of one manifest, for what another holds', async () => {
    const paths = [
      { paths: ['agents/prod/**'], threshold: 2, principals: ['alice', 'bob', 'carol'] },
    ]
    const root = rootYaml({ spec: { ...rootSpec, approvals: { ...rootSpec.approvals, paths } } })
    const { contrast } = await attackScene(transport, {
      files: { ...defaultFiles, 'trust/root.yaml': root },
    })
    const content = manifest({ generation: 43 })
    const other = 'agents/prod/other.yaml'
    await contrast({
      attack: [
        { files: { [BOT]: content, ...approval({ path: other, content, generation: 43 }, bob) } },
      ],
      condition: 'ApprovalMissing',
      says: [/spec\.approvals\.paths\[0\]/],
      honest: [
        { files: { [BOT]: content, ...approval({ path: BOT, content, generation: 43 }, bob) } },
      ],
    })
  })
})

/** One digit of the statement. */
function tampered(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(approval({ ...needed, generation: 2 }, bob)).map(([path, text]) => [
      path,
      text.replace('"generation":2', '"generation":1'),
    ]),
  )
}
