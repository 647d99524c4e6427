/** What was true when a token was issued is judged again for each release: by the policy, the evidence and the vendor of now. */
import { describe, expect, test } from 'vitest'
import type { Policy } from '#src/policy/policy.ts'
import { mayRelease, type ReleaseQuestion } from '#src/service/may-release.ts'
import type { AppraisalRecord } from '#src/service/ports.ts'
import { rememberedStandings } from '#src/service/remembered-standings.ts'
import { AT, snpMachine } from './fleet.ts'
import { type LiveScene, liveScene, newerCrl, revokingCrl, staleCrl } from './live-scene.ts'
import { BOT, manifest, type PolicyParts, policyOf, rule, rulesAnswering } from './policies.ts'

const machine = snpMachine('released')
const SCOPE = 'secret:db-ro'
const scoped = (text: string, scopes = `["${SCOPE}"]`) =>
  text.replace(/^( +)scopes: .*$/m, `$1scopes: ${scopes}`)
const releasing = (parts: PolicyParts = {}) =>
  policyOf({ manifests: { [BOT]: scoped(manifest()) }, ...parts })
const later = (seconds: number) => new Date(AT.getTime() + seconds * 1000)

interface Asking {
  readonly scene: LiveScene
  readonly record: AppraisalRecord
  readonly ask: (change?: Partial<ReleaseQuestion>, at?: Date) => ReturnType<typeof mayRelease>
}

/** An attestation that may have it: the vendor says nothing against it. */
async function asking({
  policy = releasing(),
  asksVendor = true,
}: {
  readonly policy?: Policy | undefined
  readonly asksVendor?: boolean
} = {}): Promise<Asking> {
  const scene = await liveScene({ asksVendor })
  const record = await scene.attested({ machine })
  scene.policy.current = policy
  scene.vendor.says = { crls: [newerCrl] }
  const verifier = { ...scene.verifier, standings: rememberedStandings() }
  const { environment, agent } = record
  return {
    scene,
    record,
    ask: async (change = {}, at = scene.clock.at) =>
      await mayRelease(
        verifier,
        {
          tenant: scene.tenant,
          environment,
          agent,
          audience: 'kms.example',
          scopes: [SCOPE],
          appraisal: record.id,
          resource: SCOPE,
          face: 'releases',
          ...change,
        },
        at,
      ),
  }
}

/** The agent hears nothing of it; the operator does. */
async function refusedWith({ ask, scene }: Asking, change: Partial<ReleaseQuestion> = {}) {
  const refused = expect(ask(change)).rejects
  await refused.toMatchObject({
    code: 'release-refused',
    detail: expect.stringMatching(/^\S+\/\S+ may not have \S+ now$/),
  })
  const line = scene.journal.findLast(({ event }) => event === 'release.refused')
  return String(line?.fields?.reason)
}

test('what the rule names is given, under the policy of now', async () => {
  const { ask, scene } = await asking()
  expect(await ask()).toMatchObject({
    policy: { digest: scene.policy.current?.digest },
    rule: { audience: 'kms.example', scopes: [SCOPE] },
    assurance: 'simulated',
  })
})

describe('refused is', () => {
  test.each<[string, Partial<ReleaseQuestion>, RegExp]>([
    ['what no rule names', { resource: 'secret:other', scopes: undefined }, /no rule of policy/],
    ['what the token was not issued for', { scopes: [] }, /token was not issued for it/],
    ['another audience', { audience: 'else.example' }, /as a scope for else\.example/],
    ['an agent that the policy does not know', { agent: 'ghost' }, /approves no such agent/],
    ['what no appraisal answers for', { appraisal: 'none' }, /there is no record/],
  ])('%s', async (_, change, says) => {
    expect(await refusedWith(await asking(), change)).toMatch(says)
  })

  test('an agent whose evidence is another’s', async () => {
    const bot = scoped(manifest())
    const other = scoped(manifest({ agent: 'other-bot' }))
    const policy = policyOf({ manifests: { [BOT]: bot, 'agents/prod/other-bot.yaml': other } })
    const here = await asking({ policy })
    expect(await refusedWith(here, { agent: 'other-bot' })).toMatch(/there is no record/)
  })

  test('what only a rule for bearer tokens names', async () => {
    const federation = scoped(manifest()).replace(/^( +)ttl:/m, '$1token: federation\n$1ttl:')
    const here = await asking({ policy: policyOf({ manifests: { [BOT]: federation } }) })
    expect(await refusedWith(here, { audience: undefined })).toMatch(/no rule/)
  })

  test.each<[string, (record: AppraisalRecord) => Policy, RegExp]>([
    [
      'scopes that are there no more',
      () => policyOf({ manifests: { [BOT]: scoped(manifest(), '["secret:other"]') } }),
      /no rule of policy/,
    ],
    [
      'another measurement',
      () => releasing({ manifests: { [BOT]: scoped(manifest({ measurement: 'a3' })) } }),
      /snp\.measurement\.expected/,
    ],
    [
      'a revoked key',
      ({ runtimeClaims: { sig_jkt: key } }) =>
        releasing({ commit: '2', revocations: { agentKeys: new Map([[key, 'lost']]) } }),
      /revoked|revocation/,
    ],
    [
      'a rule that says no',
      () => {
        const rules = rulesAnswering([rule('no')], () => [{ answer: false, observed: 'no' }])
        return releasing({ commit: '2', rules })
      },
      /refused by .*no$/,
    ],
    [
      'a rule that cannot be asked',
      () => {
        const rules = rulesAnswering([rule('mute')], () => [{ fault: 'too slow' }])
        return releasing({ commit: '2', rules })
      },
      /cannot be judged: a rule could not be asked: too slow/,
    ],
  ])('after the policy changed: %s', async (_, next, says) => {
    const here = await asking()
    await here.ask()
    here.scene.policy.current = next(here.record)
    expect(await refusedWith(here)).toMatch(says)
  })

  test.each<[string, (scene: LiveScene) => void, RegExp]>([
    ['what the vendor revoked', ({ vendor }) => (vendor.says = { crls: [revokingCrl] }), /snp\./],
    ['a list that is out of date', ({ vendor }) => (vendor.says = { crls: [staleCrl] }), /snp\./],
    ['a vendor that says nothing', ({ vendor }) => (vendor.says = undefined), /could not be asked/],
  ])('by what is said now: %s', async (_, change, says) => {
    const here = await asking()
    await here.ask()
    change(here.scene)
    expect(await refusedWith(here)).toMatch(says)
  })

  test('evidence whose own lists are out of date by now, where no vendor is asked', async () => {
    const here = await asking({ asksVendor: false })
    await here.ask()
    const at = later(400 * 24 * 3600)
    await expect(here.ask({}, at)).rejects.toMatchObject({ code: 'release-refused' })
  })

  test('a release whose time is over, though its evidence was judged a moment before', async () => {
    const here = await asking()
    const over = scoped(manifest()).replace(
      /notAfter: .*/,
      `notAfter: ${later(60).toISOString().replace('.000', '')}`,
    )
    here.scene.policy.current = policyOf({ manifests: { [BOT]: over } })
    await here.ask()
    await expect(here.ask({}, later(61))).rejects.toMatchObject({ code: 'release-refused' })
  })
})

test('without a policy, and after a heartbeat that ended, nothing is given', async () => {
  const here = await asking()
  here.scene.policy.current = releasing({
    heartbeat: { notAfter: later(-3600), graceSeconds: 60 } as NonNullable<Policy['heartbeat']>,
  })
  await expect(here.ask()).rejects.toMatchObject({ code: 'policy-stale' })
})

test('what was found a moment ago is not judged again; what changed is', async () => {
  const { ask, scene } = await asking()
  let asked = 0
  const { findAppraisal } = scene.store
  Object.assign(scene.verifier.store, {
    findAppraisal: async (id: string) => {
      asked++
      return await findAppraisal(id)
    },
  })
  await Promise.all([ask(), ask(), ask()])
  await ask()
  expect(asked).toBe(1)
  await ask({}, later(2))
  expect(asked).toBe(2)
  scene.vendor.says = { crls: [newerCrl] }
  await ask({}, later(2))
  expect(asked).toBe(3)
})

test('what failed for a reason of ours is asked again', async () => {
  const { ask, scene } = await asking()
  const { findAppraisal } = scene.store
  let fails = true
  Object.assign(scene.verifier.store, {
    findAppraisal: async (id: string) => {
      if (fails) throw new Error('the database is gone')
      return await findAppraisal(id)
    },
  })
  await expect(ask()).rejects.toThrow('the database is gone')
  fails = false
  expect(await ask()).toBeDefined()
})
