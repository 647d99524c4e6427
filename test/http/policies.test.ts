/** What operators see and may do: every role at every route, drift, enforcement points that lag, and two commits compared. */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { driftResponse, policiesResponse, policyResponse } from '#src/http/policy-responses.ts'
import type { Policy } from '#src/policy/policy.ts'
import { attestAt } from './attempt.ts'
import {
  AT,
  bearer,
  get,
  manifest,
  policyOf,
  post,
  type RunningService,
  runService,
  tokens,
} from './running-service.ts'

const OTHER = 'b'.repeat(40)
/** The release as it was, approving what nobody launches. */
const withdrawn = manifest((text) => text.replace('a1'.repeat(48), 'd4'.repeat(48)))

let service: RunningService
let usual: Policy
let other: Policy
beforeAll(async () => {
  usual = await policyOf()
  other = await policyOf(withdrawn, { commit: OTHER })
})
beforeEach(async () => {
  service = await runService({ policy: undefined, explainRefusals: false })
  await service.accept(usual)
  return () => service.close()
})

const enforcement = { kind: 'sensor', instance: 'n1', commit: 'c'.repeat(40), digest: '' }

describe('who may', () => {
  const viewed = { viewer: 200, operator: 200, enforcer: 403 } as const
  const reported = { viewer: 403, operator: 403, enforcer: 202 } as const
  const routes = [
    ['GET', '/v1/policies', undefined, viewed],
    ['GET', '/v1/policies/default', undefined, viewed],
    ['POST', '/v1/policies/default/diff', 'diff', viewed],
    ['POST', '/v1/policies/default/enforcement', 'enforcement', reported],
  ] as const
  const cases = routes.flatMap(([method, path, body, allowed]) =>
    (['viewer', 'operator', 'enforcer'] as const).map(
      (role) => [method, path, role, allowed[role], body] as const,
    ),
  )
  const bodyOf = (which: 'diff' | 'enforcement' | undefined) => {
    const { commit, digest } = usual
    if (which === 'diff') return JSON.stringify({ old: commit, new: commit })
    return which && JSON.stringify({ ...enforcement, digest })
  }
  const ask = async (
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string,
  ) =>
    await fetch(`${service.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body }),
    })

  test.each(cases)('%s %s as %s: %i', async (method, path, role, status, body) => {
    const response = await ask(method, path, bearer(role), bodyOf(body))
    expect(response.status).toBe(status)
    if (status === 403) expect(await response.json()).toMatchObject({ code: 'operator-forbidden' })
  })

  test.each([
    ['no header', {}],
    ['a token nobody has', { authorization: 'Bearer x' }],
    ['a token as a user’s password', { authorization: `Basic ${btoa(`x:${tokens.viewer}`)}` }],
    ['a token without its scheme', { authorization: tokens.viewer }],
    ['the hash in place of the token', { authorization: `Bearer ${'0'.repeat(64)}` }],
    ['a token in a header of its own', { 'x-token': tokens.viewer }],
  ])('with %s: 401, and how to do it', async (_, headers) => {
    for (const [method, path, body] of routes) {
      const response = await ask(method, path, headers as Record<string, string>, bodyOf(body))
      expect([path, response.status]).toEqual([path, 401])
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="vouchsafe"')
      expect(await response.json()).toMatchObject({ code: 'operator-unauthenticated' })
    }
  })

  test('a stranger is not told which tenants there are', async () => {
    const [known, unknown] = await Promise.all(
      ['default', 'nobody'].map((name) => get(`${service.url}/v1/policies/${name}`)),
    )
    expect(known?.status).toBe(401)
    expect({ ...unknown?.json, requestId: '' }).toEqual({ ...known?.json, requestId: '' })
  })
})

describe('GET /v1/policies', () => {
  test('has every tenant: conditions, what is accepted, who enforces it', async () => {
    const { json, headers } = await get(`${service.url}/v1/policies`, bearer('viewer'))
    expect(headers.get('cache-control')).toBe('no-store')
    const { policies }: z.output<typeof policiesResponse> = policiesResponse.parse(json)
    expect(policies.map(({ tenant }) => tenant)).toEqual(['default', 'acme'])
    expect(policies[0]).toMatchObject({
      conditions: [{ name: 'Synced', message: 'told to operators only' }],
      accepted: {
        commit: usual.commit,
        digest: usual.digest,
        since: AT.toISOString(),
        sequence: 1,
      },
      enforced: { commit: usual.commit, repository: 'test-policy', releases: 1, heartbeat: null },
      enforcementPoints: [],
      drift: null,
    })
    expect(policies[1]).toMatchObject({ tenant: 'acme', accepted: null })
  })

  test('a tenant that is not there', async () => {
    const { status, json } = await get(`${service.url}/v1/policies/nobody`, bearer('viewer'))
    expect([status, json.code]).toEqual([404, 'tenant-unknown'])
  })

  test.each(['..%2f..%2fetc', 'a'.repeat(64), '%00', 'Default'])(
    '/%s is no tenant’s name and so no path',
    async (name) => {
      const { status, json } = await get(`${service.url}/v1/policies/${name}`, bearer('viewer'))
      expect([status, json.code]).toEqual([404, 'route-unknown'])
    },
  )

  test('HEAD is GET without its body', async () => {
    const ask = (headers: Readonly<Record<string, string>>) =>
      fetch(`${service.url}/v1/policies/default`, { method: 'HEAD', headers })
    const response = await ask(bearer('viewer'))
    expect([response.status, await response.text()]).toEqual([200, ''])
    expect((await ask({})).status).toBe(401)
  })

  test('shows the heartbeat of the policy in force', async () => {
    const notAfter = new Date('2026-06-02T00:00:00Z')
    await service.accept(await policyOf(manifest(), { commit: OTHER, heartbeat: { notAfter } }))
    const { json } = await get(`${service.url}/v1/policies/default`, bearer('viewer'))
    expect(json.enforced.heartbeat).toEqual({
      notAfter: notAfter.toISOString(),
      graceSeconds: 24 * 3600,
    })
  })
})

describe('drift', () => {
  test('is evidence whose verdict a policy changed, and shows up with what fails now', async () => {
    const { status, json: issued } = await attestAt(service)
    expect(status).toBe(200)
    await service.accept(other)

    const { json } = await get(`${service.url}/v1/policies/default`, bearer('viewer'))
    const { drift } = policyResponse.parse(json)
    expect(drift).toEqual({
      from: { commit: usual.commit, digest: usual.digest },
      to: { commit: OTHER, digest: other.digest },
      at: AT.toISOString(),
      examined: 1,
      unexaminable: 0,
      changed: 1,
      entries: [
        {
          appraisal: issued.id,
          environment: 'prod',
          agent: 'invoice-bot',
          before: 'issued',
          after: 'refused',
          nowFailing: ['snp.measurement.expected'],
          noLongerFailing: [],
        },
      ],
    })
    const { json: all } = await get(`${service.url}/v1/policies`, bearer('viewer'))
    expect(all.policies[0].drift).toMatchObject({ changed: 1 })
    expect(all.policies[0].drift).not.toHaveProperty('entries')
    expect(service.journal).toContainEqual(
      expect.objectContaining({
        event: 'policy.drift',
        fields: expect.objectContaining({ changed: 1, to: OTHER }),
      }),
    )
  })

  test('is none where a policy changes no verdict', async () => {
    await attestAt(service)
    const later = manifest((text) => text.replace('ttl: 240s', 'ttl: 120s'))
    await service.accept(await policyOf(later, { commit: OTHER }))
    const { json } = await get(`${service.url}/v1/policies/default`, bearer('viewer'))
    expect(json.drift).toMatchObject({ examined: 1, changed: 0, entries: [] })
  })
})

describe('an enforcement point', () => {
  const report = async (body: Record<string, unknown>, role: keyof typeof tokens = 'enforcer') =>
    await post(`${service.url}/v1/policies/default/enforcement`, JSON.stringify(body), bearer(role))
  const points = async () =>
    (await get(`${service.url}/v1/policies/default`, bearer('viewer'))).json.enforcementPoints
  const moveTo = (seconds: number) => {
    service.clock.at = new Date(AT.getTime() + seconds * 1000)
  }

  test('that goes by the accepted policy is seen under its operator’s name', async () => {
    const { status } = await report({ ...enforcement, digest: usual.digest })
    expect(status).toBe(202)
    expect(await points()).toEqual([
      {
        name: 'edda/n1',
        kind: 'sensor',
        commit: usual.commit,
        digest: usual.digest,
        reportedAt: AT.toISOString(),
        lagging: false,
        reason: null,
      },
    ])
  })

  test('that goes by an older one lags 30 s after a newer was accepted, and says why', async () => {
    await report({ ...enforcement, digest: usual.digest })
    await service.accept(other)
    moveTo(30)
    expect(await points()).toMatchObject([{ lagging: false }])
    moveTo(31)
    expect(await points()).toMatchObject([
      { lagging: true, reason: expect.stringContaining(`${OTHER} was accepted 31 s ago`) },
    ])
    await report({ ...enforcement, commit: OTHER, digest: other.digest })
    expect(await points()).toMatchObject([{ lagging: false, reason: null }])
  })

  test('that falls silent lags too', async () => {
    await report({ ...enforcement, digest: usual.digest })
    moveTo(91)
    expect(await points()).toMatchObject([{ lagging: true, reason: 'silent for 91 s' }])
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['speaks for a replica of the verifier', { kind: 'verifier' }, 'kind'],
    ['takes another’s name', { instance: '../vera' }, 'instance'],
    ['names half a commit', { commit: 'c0ffee' }, 'commit'],
    ['names no digest', { digest: 'none' }, 'digest'],
    ['says when it was', { reportedAt: AT.toISOString() }, 'unknown fields "reportedAt"'],
  ])('that %s is refused', async (_, change, says) => {
    const { status, json } = await report({ ...enforcement, digest: usual.digest, ...change })
    expect([status, json.code]).toEqual([400, 'request-malformed'])
    expect(json.detail).toContain(says)
    expect(await points()).toEqual([])
  })
})

describe('POST /v1/policies/{tenant}/diff', () => {
  const diff = async (body: Record<string, unknown>) =>
    await post(`${service.url}/v1/policies/default/diff`, JSON.stringify(body), bearer('viewer'))

  test('says whose verdict would change, and keeps nothing of it', async () => {
    const { json: issued } = await attestAt(service)
    service.known(other)
    const { status, json } = await diff({ old: usual.commit, new: OTHER })
    expect(status).toBe(200)
    expect(driftResponse.parse(json)).toMatchObject({
      changed: 1,
      entries: [{ appraisal: issued.id, before: 'issued', after: 'refused' }],
    })
    const { json: kept } = await get(`${service.url}/v1/policies/default`, bearer('viewer'))
    expect(kept.drift).toBeNull()
    expect(kept.accepted.commit).toBe(usual.commit)
  })

  test('evidence of more than a week ago is left out', async () => {
    await attestAt(service)
    service.known(other)
    service.clock.at = new Date(AT.getTime() + 8 * 24 * 3600_000)
    expect((await diff({ old: usual.commit, new: OTHER })).json).toMatchObject({ examined: 0 })
  })

  test('a commit that was never fetched', async () => {
    const { status, json } = await diff({ old: usual.commit, new: 'd'.repeat(40) })
    expect([status, json.code]).toEqual([422, 'commit-unusable'])
    expect(json.detail).toContain('d'.repeat(40))
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['a branch', { old: 'main', new: OTHER }, 'old: must be a full commit name'],
    ['an option', { old: OTHER, new: '--all' }, 'new: must be a full commit name'],
    ['one commit', { old: OTHER }, 'new'],
    ['policies of its own', { old: OTHER, new: OTHER, files: [] }, 'unknown fields "files"'],
  ])('%s', async (_, body, says) => {
    const { status, json } = await diff(body)
    expect([status, json.code]).toEqual([400, 'request-malformed'])
    expect(json.detail).toContain(says)
  })

  test('is made one at a time', async () => {
    let go = () => {}
    const held = new Promise<void>((resolve) => {
      go = resolve
    })
    const store = memoryStore()
    const slow = await runService({
      store: {
        ...store,
        async appraisalsOf(...asked) {
          await held
          return await store.appraisalsOf(...asked)
        },
      },
    })
    slow.known(usual)
    slow.known(other)
    const ask = () =>
      post(
        `${slow.url}/v1/policies/default/diff`,
        JSON.stringify({ old: usual.commit, new: OTHER }),
        bearer('viewer'),
      )
    const two = [ask(), ask()]
    const refused = await Promise.race(two)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '10'])
    go()
    expect((await Promise.all(two)).map(({ status }) => status).toSorted()).toEqual([200, 429])
    expect((await ask()).status).toBe(200)
    await slow.close()
  })
})
