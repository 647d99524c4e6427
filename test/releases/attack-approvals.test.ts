/** One operator tries to give out alone what two should decide on. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { approveRelease } from '#src/service/approve-release.ts'
import { putResource } from '#src/service/put-resource.ts'
import { bearer, post } from '../http/running-service.ts'
import { type Agent, type ReleaseScene, refusal, releaseScene } from './scene.ts'

let scene: ReleaseScene
let agent: Agent

beforeAll(async () => {
  scene = await releaseScene()
}, 30_000)
afterAll(() => scene.service.close())
beforeEach(async () => {
  agent = await scene.agent()
})

const asked = async (name: string, more: object = {}) =>
  await scene.release(agent, { body: { resource: name, ...more } })
const agree = async (id: string, operator: string) =>
  await approveRelease(scene.service.verifier, { id, operator }, scene.service.clock.at)
const change = async (name: string, by: string, settings: object) => {
  const put = { tenant: 'default', name, settings, secret: undefined, by }
  return await putResource(scene.service.verifier, put, scene.service.clock.at)
}

test('whoever put the secret there agrees to nothing, also after a colleague changed its lease', async () => {
  const name = 'secret:marked'
  await scene.put(name, { approvals: 1 }, undefined, 'sara')
  await change(name, 'theo', { leaseSeconds: 60 })
  const { json } = await asked(name)
  expect(json).toMatchObject({ code: 'release-approval-needed', version: 2 })
  await expect(agree(json.approval, 'sara')).rejects.toMatchObject({ code: 'approval-own-version' })
  await agree(json.approval, 'theo')
  expect((await asked(name)).status).toBe(200)
})

test('what was agreed to under fewer approvals does not count once there are more', async () => {
  const name = 'secret:other'
  await scene.put(name, { approvals: 1 }, undefined, 'sara')
  const { json } = await asked(name)
  await agree(json.approval, 'theo')
  expect((await asked(name)).status).toBe(200)
  await change(name, 'ursula', { approvals: 2 })
  expect(await asked(name, { version: 1 })).toMatchObject(refusal(403, 'release-approval-needed'))
  expect(await asked(name)).toMatchObject(refusal(403, 'release-approval-needed'))
})

test('an approval is over when it said, and what comes after begins with nobody', async () => {
  const name = 'secret:key'
  await scene.put(name, { approvals: 1 }, undefined, 'sara')
  const { json } = await asked(name)
  await agree(json.approval, 'theo')
  const { clock } = scene.service
  const before = clock.at
  clock.at = new Date(before.getTime() + 12 * 3600_000)
  agent = await scene.agent({ keys: agent.keys })
  expect((await asked(name)).json).toMatchObject({ approval: json.approval, agreed: 0 })
  clock.at = before
})

test.each(['viewer', 'auditor', 'operator', 'enforcer'] as const)(
  'the role %s neither agrees nor puts, changes or revokes a secret',
  async (role) => {
    const paths = [
      [`/v1/release-approvals/${'0'.repeat(64)}`, {}],
      ['/v1/resources', { name: 'secret:db', secret: 'AAAA' }],
      ['/v1/resources/secret:db/revocations', { versions: 'all' }],
    ] as const
    for (const [path, body] of paths) {
      const answer = await post(`${scene.service.url}${path}`, JSON.stringify(body), bearer(role))
      expect(answer.status, path).toBeGreaterThanOrEqual(401)
      expect(answer.status, path).toBeLessThanOrEqual(403)
    }
  },
)
