/** A forge's webhook is a nudge and nothing else, and only of somebody who knows the secret. */
import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { get, post, type RunningService, runService } from './running-service.ts'

const secret = 'feedface'.repeat(4)
const push = JSON.stringify({ ref: 'refs/heads/main', after: 'd'.repeat(40) })

let service: RunningService
beforeAll(async () => {
  service = await runService({ webhookSecret: secret })
})
afterAll(() => service.close())

const url = (tenant = 'default') => `${service.url}/v1/webhooks/policy/${tenant}`
const hmac = (body: string, { key = secret, algorithm = 'sha256' } = {}) =>
  createHmac(algorithm, key).update(body).digest('hex')
const signed = (body: string) => ({ 'x-hub-signature-256': `sha256=${hmac(body)}` })

async function nudged(body: string, headers: Readonly<Record<string, string>>, tenant?: string) {
  const before = service.nudges()
  const { status, json } = await post(url(tenant), body, headers)
  return { status, code: json?.code, nudges: service.nudges() - before }
}

describe('a webhook that is heard', () => {
  test.each<[string, string, Readonly<Record<string, string>>]>([
    ['of GitHub', push, signed(push)],
    [
      'of GitHub, as a form',
      `payload=${encodeURIComponent(push)}`,
      {
        ...signed(`payload=${encodeURIComponent(push)}`),
        'content-type': 'application/x-www-form-urlencoded',
      },
    ],
    ['of Gitea or Forgejo', push, { ...signed(push), 'x-gitea-event': 'push' }],
    ['of GitLab', push, { 'x-gitlab-token': secret, 'x-gitlab-event': 'Push Hook' }],
    ['without a body', '', signed('')],
    ['whose body is no JSON', 'x', signed('x')],
  ])('%s', async (_, body, headers) =>
    expect(await nudged(body, headers)).toEqual({ status: 202, code: undefined, nudges: 1 }),
  )

  test('of two megabytes', async () => {
    const body = ' '.repeat(2 * 1024 * 1024)
    expect(await nudged(body, signed(body))).toMatchObject({ status: 202, nudges: 1 })
  })
})

describe('a webhook that is forged', () => {
  const hex = hmac(push)
  test.each<[string, string, Readonly<Record<string, string>>]>([
    ['with nothing', push, {}],
    ['with a body changed on the way', `${push} `, signed(push)],
    [
      'signed with another secret',
      push,
      { 'x-hub-signature-256': `sha256=${hmac(push, { key: 'x' })}` },
    ],
    ['signed with no secret', push, { 'x-hub-signature-256': `sha256=${hmac(push, { key: '' })}` }],
    ['signed with SHA-1', push, { 'x-hub-signature': `sha1=${hmac(push, { algorithm: 'sha1' })}` }],
    ['whose signature names no hash', push, { 'x-hub-signature-256': hex }],
    ['whose signature is cut off', push, { 'x-hub-signature-256': `sha256=${hex.slice(0, -2)}` }],
    ['whose signature is longer', push, { 'x-hub-signature-256': `sha256=${hex}00` }],
    [
      'whose signature is in capitals',
      push,
      { 'x-hub-signature-256': `sha256=${hex.toUpperCase()}` },
    ],
    ['whose signature is empty', push, { 'x-hub-signature-256': 'sha256=' }],
    ['two signatures', push, { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}, sha256=${hex}` }],
    ['with a token of another', push, { 'x-gitlab-token': 'x' }],
    ['with an empty token', push, { 'x-gitlab-token': '' }],
    ['with a token that begins well', push, { 'x-gitlab-token': secret.slice(0, -1) }],
    [
      'with a token beside a wrong signature',
      push,
      { 'x-gitlab-token': secret, 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` },
    ],
    ['with an operator’s way of asking', push, { authorization: `Bearer ${secret}` }],
  ])('%s', async (_, body, headers) =>
    expect(await nudged(body, headers)).toEqual({
      status: 403,
      code: 'webhook-unauthentic',
      nudges: 0,
    }),
  )

  test('of endless size is cut off', async () => {
    const chunk = new Uint8Array(1024 * 1024)
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 200) controller.enqueue(chunk)
        else controller.close()
      },
    })
    const answer = fetch(url(), {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` },
    } as RequestInit)
    // The client may see the answer, or the connection that closes under what it still sends.
    const status = await answer.then(
      (response) => response.status,
      () => 413,
    )
    expect(status).toBe(413)
    expect(sent).toBeLessThan(100)
  })
})

describe('where there is no webhook', () => {
  test.each([
    ['a tenant without a secret', 'acme'],
    ['a tenant nobody knows', 'nobody'],
    ['no tenant’s name', '..%2f'],
  ])('%s: as for any path that there is not', async (_, tenant) => {
    const { status, json } = await post(url(tenant), push, signed(push))
    expect([status, json.code]).toEqual([404, 'route-unknown'])
  })

  test('nothing in the log or the answer repeats what was sent', async () => {
    await post(url(), push, { 'x-gitlab-token': 'something-of-mine' })
    expect(JSON.stringify(service.journal)).not.toContain('something-of-mine')
    const { json } = await get(`${service.url}/openapi.json`)
    expect(JSON.stringify(json)).not.toContain(secret)
  })
})
