/** What needs more than one person, whose approvals count, for exactly what, and until when. */
import { createHash, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { preAuthenticationEncoding } from '#src/policy/signatures/dsse.ts'
import { sshKeyOf } from '#src/policy/signatures/ssh-key.ts'
import { signSsh } from '#src/policy/signatures/ssh-signature.ts'
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
  mallory,
  manifest,
  type Person,
  person,
  REPOSITORY_NAME,
  rootSpec,
  rootYaml,
  sha256Of,
  signedStatement,
  signerLine,
} from '../git/policy-repository.ts'
import { accepted, refused, revokedYaml, rulesYaml, scene } from './judging.ts'

const PATH = 'rules/base.yaml'
const rules = { [PATH]: rulesYaml(1) }
const needed: ApprovalOf = { path: PATH, content: rulesYaml(1), generation: 1 }
type Files = Readonly<Record<string, string>>

/** Alice adds the rules, and `approvals` lie beside them. */
async function proposal(approvals: Files, files: Files = defaultFiles) {
  const { repository, now } = await scene(files)
  repository.commit({ files: { ...rules, ...approvals } })
  return now
}

function ownersWith(change: object): Files {
  const approvals = { ...rootSpec.approvals, ...change }
  return { ...defaultFiles, 'trust/root.yaml': rootYaml({ spec: { ...rootSpec, approvals } }) }
}

describe('a change of rules', () => {
  test('by one person alone waits, and says for whom and how', async () => {
    const now = await proposal({})
    const refusal = await refused(
      now(),
      'ApprovalMissing',
      /signed by alice, waits for approvals:\nrules\/base\.yaml \(sha256 [0-9a-f]{12}\.\.\., generation 1\)/,
      'needs 2 of alice, bob and carol (spec.approvals.rules in trust/root.yaml) and has 1: alice, who signed the commit.',
      'Let bob or carol run `vouchsafe policy approve rules/base.yaml --key ~/.ssh/id_ed25519`',
    )
    expect(refusal.mistakes).toMatchObject([{ file: PATH, line: 1, column: 1 }])
  })

  test('is accepted with an approval in the same commit', async () => {
    const now = await proposal(approval(needed, bob))
    const { judged } = await accepted(now())
    expect(judged[0]?.approvals).toEqual({ [PATH]: ['alice', 'bob'] })
  })

  test('is accepted with an approval that comes later, by anybody who may commit', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: rules })
    repository.commit({ files: approval(needed, bob), by: dave })
    await accepted(now())
  })

  test('is accepted with two approvals when somebody else signed it', async () => {
    const roles = [...rootSpec.roles, { name: 'bot', principals: ['dave'], paths: ['rules/**'] }]
    const root = rootYaml({ spec: { ...rootSpec, roles } })
    const { repository, now } = await scene({ ...defaultFiles, 'trust/root.yaml': root })
    repository.commit({ files: { ...rules, ...approval(needed, bob) }, by: dave })
    await refused(now(), 'ApprovalMissing', /has 1: bob\./)
    repository.commit({ files: approval(needed, bob, carol), by: dave })
    await accepted(now())
  })

  test('with an approval by DSSE counts its signers', async () => {
    await accepted((await proposal(dsse(bob)))())
    const bare = await proposal(dsse(bob, { statement: false }))
    await accepted(bare())
    await refused((await proposal(dsse(alice)))(), 'ApprovalMissing', /has 1: alice/)
    const stranger = await proposal(dsse(mallory))
    await refused(stranger(), 'ApprovalMissing', /dsse\.json, signature 1: keyid/)
  })

  test('by somebody who may vote but is no signer of git commits is approved, not made', async () => {
    const signers =
      allowedSigners(alice, carol, dave) + signerLine(bob, 'namespaces="vouchsafe-approval@v1"')
    const now = await proposal(approval(needed, bob), {
      ...defaultFiles,
      'trust/allowed_signers': signers,
    })
    await accepted(now())
  })
})

describe('an approval does not count', () => {
  const two = person('alice', 'second key')
  const withTwo = {
    ...defaultFiles,
    'trust/allowed_signers': defaultFiles['trust/allowed_signers'] + signerLine(two),
  }
  const cases: readonly [string, Files, RegExp, Files?][] = [
    ['for another path', approval({ ...needed, path: 'rules/other.yaml' }, bob), /has 1: alice/],
    [
      'for another repository',
      approval({ ...needed, repository: 'another-tenant' }, bob),
      /is for the repository another-tenant, not example-policy/,
    ],
    [
      'for another generation',
      approval({ ...needed, generation: 2 }, bob),
      /is for generation 2, not 1/,
    ],
    [
      'for other content',
      approval({ ...needed, content: rulesYaml(2) }, bob),
      /is for content of sha256 [0-9a-f]{12}\.\.\., not for content of sha256/,
    ],
    ['for the deletion', approval({ ...needed, content: null }, bob), /is for the deletion, not/],
    [
      'that had ended',
      approval({ ...needed, notAfter: '2026-06-30T23:59:59Z' }, bob),
      /bob\.sig ended at 2026-06-30T23:59:59.000Z, and was first seen .* at 2026-07-01/,
    ],
    ['of a stranger', approval(needed, mallory), /mallory\.sig: nobody of this name/],
    ['of somebody whom the threshold does not list', approval(needed, dave), /has 1: alice/],
    ['of the signer himself', approval(needed, alice), /has 1: alice/],
    ['of the signer with another key of his', approval(needed, two), /has 1: alice/, withTwo],
    [
      'in another’s name',
      renamed(approval(needed, alice), 'alice.sig', 'bob.sig'),
      /bob\.sig: the key is alice's/,
    ],
    [
      'with a stranger’s key in a known name',
      renamed(approval(needed, mallory), 'mallory.sig', 'bob.sig'),
      /bob\.sig: the key SHA256:.* is not in trust\/allowed_signers/,
    ],
    [
      'whose statement was altered',
      changed(approval({ ...needed, generation: 2 }, bob), '"generation":2', '"generation":1'),
      /statement\.json does not have the SHA-256 that the folder is called by/,
    ],
    [
      'whose statement was altered and moved to its new name',
      moved(
        changed(approval({ ...needed, generation: 2 }, bob), '"generation":2', '"generation":1'),
      ),
      /signature by the key of bob/,
    ],
    [
      'that was signed for another purpose',
      signedFor('git', bob),
      /was made for the namespace git, not for vouchsafe-approval@v1/,
    ],
    [
      'by a key that is for commits only',
      approval(needed, bob),
      /bob may sign for git only/,
      {
        ...defaultFiles,
        'trust/allowed_signers':
          allowedSigners(alice, carol, dave) + signerLine(bob, 'namespaces="git"'),
      },
    ],
    [
      'by a key that ended',
      approval(needed, bob),
      /of bob was valid until/,
      {
        ...defaultFiles,
        'trust/allowed_signers':
          allowedSigners(alice, carol, dave) + signerLine(bob, 'valid-before="20260601Z"'),
      },
    ],
    [
      'by a key that is revoked',
      approval(needed, bob),
      /of bob is revoked/,
      {
        ...defaultFiles,
        'revoked/keys.yaml': revokedYaml(1, { signerKeys: [sshKeyOf(bob.publicKey).fingerprint] }),
      },
    ],
    ['with a member twice', twice(), /has a member twice/],
    [
      'with a member more',
      signedStatement({ ...statement(), comment: 'x' }, bob),
      /has a member comment, which no Approval has/,
    ],
    ['outside a folder of its digest', lost(approval(needed, bob)), /has 1: alice/],
  ]

  test.each(cases)('%s', async (_, approvals, why, files) => {
    await refused((await proposal(approvals, files))(), 'ApprovalMissing', why)
    // The same repository with a sound approval beside it: nothing else is wrong.
    await accepted((await proposal({ ...approvals, ...approval(needed, carol) }, files))())
  })

  test('of somebody whom an earlier commit of the same push removed', async () => {
    const root = rootYaml({
      generation: 2,
      spec: {
        ...rootSpec,
        roles: [{ name: 'owners', principals: ['alice', 'carol'], paths: ['**'] }],
        approvals: Object.fromEntries(
          ['trust', 'rules', 'unrevoke'].map((name) => [
            name,
            { threshold: 2, principals: ['alice', 'carol'] },
          ]),
        ),
      },
    })
    const signers = allowedSigners(alice, carol)
    const removal = {
      'trust/root.yaml': root,
      'trust/allowed_signers': signers,
      ...approval({ path: 'trust/root.yaml', content: root, generation: 2 }, bob),
      ...approval({ path: 'trust/allowed_signers', content: signers, generation: 2 }, bob),
    }
    const { repository, now } = await scene()
    repository.commit({ files: removal })
    repository.commit({ files: { ...rules, ...approval(needed, bob) } })
    await refused(now(), 'ApprovalMissing', /needs 2 of alice and carol/)
    // Before the removal it counts, although the approval itself arrives after it.
    const { repository: other, now: then } = await scene()
    other.commit({ files: rules })
    other.commit({ files: removal })
    other.commit({ files: approval(needed, bob), by: carol })
    await accepted(then())
  })

  test('that waited until after its end, although its change was seen before', async () => {
    const { repository, now } = await scene()
    const change = repository.commit({ files: rules })
    const late = repository.commit({
      files: approval({ ...needed, notAfter: '2026-06-15T00:00:00Z' }, bob),
    })
    const seen = (at: string) =>
      new Map([
        [change, new Date('2026-06-01T00:00:00Z')],
        [late, new Date(at)],
      ])
    await refused(now({ seen: seen('2026-06-15T00:00:01Z') }), 'ApprovalMissing', /ended at/)
    await accepted(now({ seen: seen('2026-06-15T00:00:00Z') }))
  })

  test('that lay there before its change and had ended when that was first seen', async () => {
    const { repository, now } = await scene()
    const early = repository.commit({
      files: approval({ ...needed, notAfter: '2026-06-15T00:00:00Z' }, bob),
    })
    const change = repository.commit({ files: rules })
    const seen = (at: string) =>
      new Map([
        [early, new Date('2026-06-01T00:00:00Z')],
        [change, new Date(at)],
      ])
    await refused(now({ seen: seen('2026-06-15T00:00:01Z') }), 'ApprovalMissing', /ended at/)
    await accepted(now({ seen: seen('2026-06-15T00:00:00Z') }))
  })

  test('whose statement came when it had ended, although its signature came before', async () => {
    const files = approval({ ...needed, notAfter: '2026-06-15T00:00:00Z' }, bob)
    const only = (part: RegExp) =>
      Object.fromEntries(Object.entries(files).filter(([path]) => part.test(path)))
    const { repository, now } = await scene()
    const change = repository.commit({ files: { ...rules, ...only(/sig$/) } })
    const late = repository.commit({ files: only(/json$/) })
    const seen = (at: string) =>
      new Map([
        [change, new Date('2026-06-01T00:00:00Z')],
        [late, new Date(at)],
      ])
    await refused(now({ seen: seen('2026-06-15T00:00:01Z') }), 'ApprovalMissing', /ended at/)
    await accepted(now({ seen: seen('2026-06-15T00:00:00Z') }))
  })

  test('for a second time, once its signer was removed in between', async () => {
    const everyone = ['alice', 'bob', 'carol']
    // A file without a generation: where there is one, it must rise.
    const path = 'config/bot.json'
    const paths = [{ paths: ['config/**'], threshold: 2, principals: everyone }]
    const [content, other] = ['{}', '[]']
    const signers = allowedSigners(alice, carol, dave)
    const fewer = { threshold: 2, principals: ['alice', 'carol'] }
    const root = rootYaml({
      generation: 2,
      spec: {
        roles: [{ name: 'owners', principals: ['alice', 'carol'], paths: ['**'] }],
        approvals: {
          trust: fewer,
          rules: fewer,
          unrevoke: fewer,
          paths: [{ ...fewer, paths: ['config/**'] }],
        },
      },
    })
    const { repository, now } = await scene(ownersWith({ paths }))
    const one = approval({ path, content, generation: 0 }, bob)
    repository.commit({ files: { [path]: content, ...one } })
    repository.commit({
      files: { [path]: other, ...approval({ path, content: other, generation: 0 }, carol) },
    })
    repository.commit({
      files: {
        'trust/root.yaml': root,
        'trust/allowed_signers': signers,
        ...approval({ path: 'trust/root.yaml', content: root, generation: 2 }, bob),
        ...approval({ path: 'trust/allowed_signers', content: signers, generation: 2 }, bob),
      },
    })
    await accepted(now())
    repository.commit({ files: { [path]: content } })
    await refused(now(), 'ApprovalMissing', /bob\.sig: nobody of this name/)
  })

  test('for a manifest of a generation that was in force before, even while it lasts', async () => {
    const paths = [{ paths: ['agents/prod/**'], threshold: 2, principals: ['alice', 'bob'] }]
    const [content, other] = [
      manifest({ generation: 43 }),
      manifest({ generation: 44 }).replace('300s', '299s'),
    ]
    const { repository, now } = await scene(ownersWith({ paths }))
    repository.commit({
      files: { [BOT]: content, ...approval({ path: BOT, content, generation: 43 }, bob) },
    })
    repository.commit({
      files: { [BOT]: other, ...approval({ path: BOT, content: other, generation: 44 }, bob) },
    })
    await accepted(now())
    const same = other.replace('299s', '298s')
    repository.commit({ files: { [BOT]: same } })
    await refused(now(), 'RollbackOrRewrite', /still has generation 44/)
  })

  test('that lay there when its change was first seen stays good, however late the rest comes', async () => {
    const { repository, now } = await scene()
    const broken = { [BOT]: 'broken: [' }
    const change = repository.commit({
      files: {
        ...rules,
        ...broken,
        ...approval({ ...needed, notAfter: '2026-06-15T00:00:00Z' }, bob),
      },
    })
    const mended = repository.commit({ files: { [BOT]: manifest({ generation: 43 }) } })
    const seen = new Map([
      [change, new Date('2026-06-01T00:00:00Z')],
      [mended, new Date('2026-07-01T00:00:00Z')],
    ])
    await accepted(now({ seen }))
  })
})

describe('the signer of the commit', () => {
  const files = ownersWith({
    rules: { threshold: 2, principals: ['alice', 'bob', 'carol'], excludeAuthor: true },
  })

  test('may be left out of the count', async () => {
    const one = await proposal(approval(needed, bob, alice), files)
    await refused(
      one(),
      'ApprovalMissing',
      /the signer of the commit not counted\) and has 1: bob\./,
      /Let carol run/,
    )
    await accepted((await proposal(approval(needed, bob, carol), files))())
  })

  test('hears when nobody is left whom he could ask', async () => {
    const alone = ownersWith({
      rules: { threshold: 2, principals: ['alice', 'bob'], excludeAuthor: true },
    })
    await refused(
      (await proposal({}, alone))(),
      'ApprovalMissing',
      /let somebody else sign the commit/,
    )
  })

  test('does not count where the threshold does not list him', async () => {
    const others = ownersWith({ rules: { threshold: 1, principals: ['bob', 'carol'] } })
    await refused(
      (await proposal({}, others))(),
      'ApprovalMissing',
      /needs 1 of bob and carol .* has none/,
    )
    await accepted((await proposal(approval(needed, bob), others))())
  })
})

describe('many approvals', () => {
  test('are not verified unless something needs them', async () => {
    const junk = Object.fromEntries(
      Array.from({ length: 2000 }, (_, index) => [
        `approvals/${sha256Of(`${index}`)}/statement.json`,
        JSON.stringify(index),
      ]),
    )
    const now = await proposal({ ...junk, ...approval(needed, bob) })
    await accepted(now())
  })

  test('for the same content are verified up to a limit', async () => {
    const many = Array.from({ length: 70 }, (_, index) =>
      approval(
        {
          ...needed,
          notAfter: `2030-01-01T00:00:${String(index % 60).padStart(2, '0')}Z`.replace(
            '2030',
            String(2030 + index),
          ),
        },
        alice,
      ),
    )
    await refused(
      (await proposal(Object.assign({}, ...many)))(),
      'ApprovalMissing',
      /is one of more than 16 like it/,
    )
  })

  test('leave the command such that a shell takes it', async () => {
    const { repository, now } = await scene()
    repository.commit({ files: { "rules/it's.yaml": rulesYaml(1) } })
    await refused(now(), 'ApprovalMissing', `policy approve 'rules/it'\\''s.yaml' --key`)
  })
})

function statement() {
  const { path, content, generation } = needed
  return {
    kind: 'Approval',
    repository: REPOSITORY_NAME,
    path,
    sha256: sha256Of(content ?? ''),
    generation,
    notAfter: '2030-01-01T00:00:00Z',
  }
}

function signedFor(namespace: string, by: Person): Files {
  const text = JSON.stringify(statement())
  const folder = `approvals/${sha256Of(text)}`
  return {
    [`${folder}/statement.json`]: text,
    [`${folder}/${by.principal}.sig`]: signSsh(by.privateKey, Buffer.from(text), namespace),
  }
}

function twice(): Files {
  const text = JSON.stringify(statement()).replace(
    '"generation":1',
    '"generation":2,"generation":1',
  )
  const folder = `approvals/${sha256Of(text)}`
  return {
    [`${folder}/statement.json`]: text,
    [`${folder}/bob.sig`]: signSsh(bob.privateKey, Buffer.from(text), 'vouchsafe-approval@v1'),
  }
}

function dsse(by: Person, { statement: beside = true } = {}): Files {
  const payload = Buffer.from(JSON.stringify(statement()))
  const payloadType = 'application/vnd.vouchsafe.approval+json'
  const signature = sign(null, preAuthenticationEncoding(payloadType, payload), by.privateKey)
  const folder = `approvals/${createHash('sha256').update(payload).digest('hex')}`
  return {
    ...(beside ? { [`${folder}/statement.json`]: payload.toString() } : {}),
    [`${folder}/dsse.json`]: JSON.stringify({
      payload: payload.toString('base64'),
      payloadType,
      signatures: [
        { keyid: sshKeyOf(by.publicKey).fingerprint, sig: signature.toString('base64') },
      ],
    }),
  }
}

function renamed(files: Files, from: string, to: string): Files {
  return Object.fromEntries(
    Object.entries(files).map(([path, text]) => [path.replace(from, to), text]),
  )
}

function changed(files: Files, from: string, to: string): Files {
  return Object.fromEntries(
    Object.entries(files).map(([path, text]) => [path, text.replace(from, to)]),
  )
}

/** To the folder that its statement's digest names now. */
function moved(files: Files): Files {
  const text = Object.entries(files).find(([path]) => path.endsWith('statement.json'))?.[1] ?? ''
  return Object.fromEntries(
    Object.entries(files).map(([path, content]) => [
      path.replace(/^approvals\/[0-9a-f]+/, `approvals/${sha256Of(text)}`),
      content,
    ]),
  )
}

function lost(files: Files): Files {
  return Object.fromEntries(
    Object.entries(files).map(([path, text]) => [
      path.replace(/^approvals\//, 'approvals/old/'),
      text,
    ]),
  )
}
