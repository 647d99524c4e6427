/**
 * Whoever may write the database, and has an agent of his own that was attested, tries to be given the secret of another: by
 * rows that say more than what was signed, and than what the hardware vouched for.
 */
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { approveRelease } from '#src/service/approve-release.ts'
import type { AppraisalRecord } from '#src/service/ports.ts'
import { putResource } from '#src/service/put-resource.ts'
import type { KnownResource } from '#src/service/release-ports.ts'
import type { SettingsChange } from '#src/service/resource-settings.ts'
import type { KnownToken } from '#src/service/token-ports.ts'
import { leaf } from '../adapters/store-records.ts'
import { anchorsOf, challenge, platform } from '../http/running-service.ts'
import { type Agent, type ReleaseScene, refusal, releaseScene } from './scene.ts'

let scene: ReleaseScene
let victim: Agent
let attacker: Agent

beforeAll(async () => {
  scene = await releaseScene({ acmeAnchors: anchorsOf(platform.anchors) })
  await scene.put('secret:db')
  victim = await scene.agent()
  attacker = await scene.agent()
}, 30_000)
afterAll(() => scene.service.close())
afterEach(() => {
  vi.restoreAllMocks()
})

/** As the rows would read. */
function written({
  token = (row) => row,
  appraisal = (row) => row,
}: {
  readonly token?: (row: KnownToken) => KnownToken
  readonly appraisal?: (row: AppraisalRecord) => AppraisalRecord
}) {
  const { store } = scene.service.verifier
  const { findToken, findAppraisal } = store
  vi.spyOn(store, 'findToken').mockImplementation(async (jti) => {
    const row = await findToken(jti)
    return row && token(row)
  })
  vi.spyOn(store, 'findAppraisal').mockImplementation(async (id) => {
    const row = await findAppraisal(id)
    return row && appraisal(row)
  })
}

describe('the row of a token that says another than the token itself', () => {
  test.each<[string, Partial<KnownToken>]>([
    ['agent', { agent: 'other-bot' }],
    ['environment', { environment: 'staging' }],
    ['tenant', { tenant: 'acme' }],
    ['scopes', { scopes: ['secret:db', 'secret:other', 'secret:unnamed'] }],
    ['subject', { subject: 'somebody' }],
  ])('%s', async (_, change) => {
    written({ token: (row) => ({ ...row, ...change }) })
    expect(await scene.release(attacker)).toMatchObject(
      refusal(401, 'possession-token-refused', 'no record of it'),
    )
  })

  test('appraisal: that of whoever may have it', async () => {
    written({ token: (row) => ({ ...row, appraisal: victim.appraisal }) })
    expect(await scene.release(attacker)).toMatchObject(
      refusal(401, 'possession-token-refused', 'no record of it'),
    )
  })

  test('a tenant whose policy one writes oneself, for the secrets of another', async () => {
    const verifier = `${scene.service.url}/t/acme/simulated`
    const nonce = await challenge(scene.service, 'acme')
    const acme = await scene.agent({ claims: { tenant: 'acme', verifier, nonce } })
    written({ token: (row) => ({ ...row, tenant: 'default' }) })
    expect(await scene.release(acme)).toMatchObject(refusal(401, 'possession-token-refused'))
  })
})

describe('the row of an appraisal', () => {
  test('with the evidence of another, which is bound to his keys', async () => {
    const { findAppraisal } = scene.service.verifier.store
    const theirs = await findAppraisal(victim.appraisal)
    if (!theirs) throw new Error('there is no appraisal')
    written({
      appraisal: (row) => (row.id === attacker.appraisal ? { ...theirs, id: row.id } : row),
    })
    expect(await scene.release(attacker)).toMatchObject(refusal(403, 'release-refused'))
  })

  test.each<[string, (row: AppraisalRecord) => AppraisalRecord]>([
    [
      'whose claims name another agent than it was kept for',
      (row) => ({ ...row, runtimeClaims: { ...row.runtimeClaims, agent: 'other-bot' } }),
    ],
    [
      'whose claims were written to name one’s own key',
      (row) => ({ ...row, runtimeClaims: { ...row.runtimeClaims, enc_jkt: 'another' } }),
    ],
    [
      'with a binding of the Key Broker, to which no claims are bound',
      (row) => ({ ...row, binding: { protocol: '0.4.0', reportData: '00'.repeat(64) } }),
    ],
  ])('%s', async (_, change) => {
    const own = await scene.agent()
    written({ appraisal: change })
    expect(await scene.release(own)).toMatchObject(refusal(403, 'release-refused'))
  })
})

describe('agreements of operators', () => {
  const name = 'secret:marked'
  const asked = async (agent: Agent) => await scene.release(agent, { body: { resource: name } })
  let own: Agent
  let approval: string

  beforeEach(async () => {
    await scene.revoke(name, 'all')
    await scene.put(name, { approvals: 2 }, Buffer.from('a secret of two'), 'sara')
    own = await scene.agent()
    const { json } = await asked(own)
    expect(json.code).toBe('release-approval-needed')
    approval = json.approval
  })

  /** As a row would read. */
  async function written(operator: string, seal?: string): Promise<void> {
    const { clock, verifier } = scene.service
    const by = { operator, at: clock.at, ...(seal !== undefined && { seal }) }
    await verifier.store.approveRelease(approval, by, leaf({ kind: 'resource' }))
  }
  async function agreed(operator: string): Promise<void> {
    const { clock, verifier } = scene.service
    await approveRelease(verifier, { id: approval, operator }, clock.at)
  }
  const refused = async () => {
    const recorded = vi.spyOn(scene.service.verifier.store, 'recordRelease')
    expect(await asked(own)).toMatchObject(refusal(500, 'internal-error'))
    expect(recorded).not.toHaveBeenCalled()
    const { cause } =
      scene.service.journal.findLast(({ event }) => event === 'request.failed') ?? {}
    expect(String(cause)).toContain('is not sealed by this service')
  }

  test('that nobody gave open nothing, until they are given', async () => {
    await written('theo')
    await written('ursula')
    await refused()
    await agreed('theo')
    await refused()
    await agreed('ursula')
    expect((await asked(own)).status).toBe(200)
  })

  test('with the seal of another operator, or of another question, open nothing', async () => {
    await agreed('theo')
    const seal = (await scene.service.verifier.store.findApproval(approval))?.approvedBy[0]?.seal
    expect(seal).toMatch(/^[\w-]{43}$/)
    await written('ursula', seal)
    await refused()
    const before = approval
    own = await scene.agent()
    approval = (await asked(own)).json.approval
    expect(approval).not.toBe(before)
    await written('theo', seal)
    await agreed('ursula')
    await refused()
  })

  test('with a row that says that somebody else put the secret there', async () => {
    const { verifier } = scene.service
    const { findResource, sealedVersion } = verifier.store
    vi.spyOn(verifier.store, 'findResource').mockImplementation(async (...args) => {
      const row = await findResource(...args)
      const by = <V extends object>(each: V) => ({ ...each, createdBy: 'mallory' })
      return row && { ...row, versions: row.versions.map(by) }
    })
    vi.spyOn(verifier.store, 'sealedVersion').mockImplementation(async (...args) => {
      const row = await sealedVersion(...args)
      return row && { ...row, createdBy: 'mallory' }
    })
    verifier.resources.forget('default', name)
    await expect(agreed('sara')).rejects.toThrow('it was put by sara. The database was altered')
    await written('sara')
    await written('theo')
    expect(await asked(own)).toMatchObject(refusal(500, 'internal-error'))
    verifier.resources.forget('default', name)
  })
})

describe('a mark of revocation that is taken away', () => {
  const unmarked = <V extends { readonly revokedAt: Date | undefined }>(version: V): V => ({
    ...version,
    revokedAt: undefined,
  })

  test('leaves nothing that could be opened', async () => {
    await scene.put('secret:other', {}, Buffer.from('a revoked secret'))
    await scene.revoke('secret:other', 'all')
    const { verifier } = scene.service
    const { findResource, sealedVersion } = verifier.store
    vi.spyOn(verifier.store, 'findResource').mockImplementation(async (...asked) => {
      const row = await findResource(...asked)
      return row && { ...row, versions: row.versions.map(unmarked) }
    })
    vi.spyOn(verifier.store, 'sealedVersion').mockImplementation(async (...asked) => {
      const row = await sealedVersion(...asked)
      return row && unmarked(row)
    })
    const recorded = vi.spyOn(verifier.store, 'recordRelease')
    verifier.resources.forget('default', 'secret:other')
    const own = await scene.agent()
    expect(await scene.release(own, { body: { resource: 'secret:other' } })).toMatchObject(
      refusal(500, 'internal-error'),
    )
    expect(recorded).not.toHaveBeenCalled()
    verifier.resources.forget('default', 'secret:other')
  })

  test('between the choice of a version and its opening is as if it had not been chosen', async () => {
    await scene.put('secret:other', {}, Buffer.from('another secret'))
    const { verifier } = scene.service
    const { sealedVersion } = verifier.store
    vi.spyOn(verifier.store, 'sealedVersion').mockImplementationOnce(async (...asked) => {
      await scene.revoke('secret:other', 'all')
      return await sealedVersion(...asked)
    })
    verifier.resources.forget('default', 'secret:other')
    const own = await scene.agent()
    expect(await scene.release(own, { body: { resource: 'secret:other' } })).toMatchObject(
      refusal(404, 'resource-version-unavailable'),
    )
  })
})

describe('the row of a resource', () => {
  const key = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' })

  test.each<[string, SettingsChange, Partial<KnownResource>]>([
    ['that lets out a key which was only to sign', { use: 'sign' }, { use: 'release' }],
    [
      'that takes simulated evidence for what asks for hardware',
      { acceptsSimulated: false },
      { acceptsSimulated: true },
    ],
    ['that asks no longer for a session', { requiresSession: true }, { requiresSession: false }],
  ])('%s: nothing is opened, recorded or sealed anew', async (_, settings, change) => {
    await scene.revoke('secret:other', 'all')
    const usual = { use: 'release', requiresSession: false } as const
    await scene.put('secret:other', { ...usual, ...settings }, Buffer.from(key))
    const { verifier } = scene.service
    const { findResource } = verifier.store
    const looser = async (tenant: string, name: string) => {
      const row = await findResource(tenant, name)
      return row && { ...row, ...change }
    }
    vi.spyOn(verifier.store, 'findResource').mockImplementation(looser)
    const recorded = vi.spyOn(verifier.store, 'recordRelease')
    verifier.resources.forget('default', 'secret:other')
    const own = await scene.agent()
    expect(await scene.release(own, { body: { resource: 'secret:other' } })).toMatchObject(
      refusal(500, 'internal-error'),
    )
    expect(recorded).not.toHaveBeenCalled()
    // Nor does an operator make it his own word, who changes something else of it or puts another secret there.
    const put = { tenant: 'default', name: 'secret:other', by: 'sara' }
    for (const secret of [undefined, Buffer.from(key)])
      await expect(
        putResource(verifier, { ...put, settings: { leaseSeconds: 60 }, secret }, new Date()),
      ).rejects.toThrow('The database was altered')
    verifier.resources.forget('default', 'secret:other')
  })
})
