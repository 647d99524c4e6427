/** A gateway as docs/relying-party.md configures it, between a caller and a service that says what reached it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256 } from '../../../kit/relying-party/base64url.ts'
import { forwardAuth, type gateways } from '../../../kit/relying-party/forward-auth.ts'
import { forwardAuthListener } from '../../../kit/relying-party/node.ts'
import { type RelyingScene, relyingScene } from '../relying-scene.ts'
import { freePort, type Sent, send } from '../wire.ts'

const page = readFileSync(new URL('../../../docs/relying-party.md', import.meta.url), 'utf8')
const publicUrl = 'https://kms.example'

/** What stands under `### title`, in the first fence of this language. */
export function recipe(title: string, language: string): string {
  const [, section = ''] = page.split(`\n### ${title}\n`)
  const [, text] = section.split(/\n### /)[0]?.split(`\`\`\`${language}\n`) ?? []
  if (text === undefined) throw new Error(`docs/relying-party.md has no ${language} for ${title}`)
  return text.split('```')[0] ?? ''
}

export interface Gateway {
  readonly kind: keyof typeof gateways
  readonly program: string
  /** Arguments with which the program ends at once. */
  readonly probe: readonly string[]
  /** Whether CI must have it. */
  readonly presence: 'required' | 'optional'
  /** The configuration of the page, its three ports replaced. */
  readonly text: string
  /** Writes what is needed into `folder`; the command that runs it in the foreground. */
  readonly command: (text: string, folder: string) => readonly string[]
}

export function gatewayTests({ kind, program, probe, presence, text, command }: Gateway): void {
  const isMissing = spawnSync(program, [...probe], { stdio: 'ignore' }).error !== undefined
  if (isMissing && presence === 'required' && process.env.CI)
    describe(program, () => {
      throw new Error(`there is no ${program}, which CI must have`)
    })
  describe.skipIf(isMissing)(isMissing ? `${program} (skipped: it is not here)` : program, () => {
    const folder = mkdtempSync(join(tmpdir(), `vouchsafe-${kind}-`))
    const closing: (() => void)[] = []
    const asked: string[] = []
    const printed: string[] = []
    let scene: RelyingScene
    let running: ChildProcess
    let url = ''

    async function listening(listener: RequestListener): Promise<number> {
      const server = createServer(listener)
      closing.push(() => server.close().closeAllConnections())
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return (server.address() as AddressInfo).port
    }

    beforeAll(async () => {
      scene = await relyingScene()
      const answerTo = forwardAuth(scene.party(), {
        gateway: kind,
        publicUrl,
        decided: (verdict, { method, path }) =>
          asked.push(`${method} ${path} ${verdict.accepted ? 'accepted' : verdict.reason}`),
      })
      const [front, behind, beside] = [
        await freePort(),
        await listening(async (request, response) => {
          let body = ''
          for await (const chunk of request) body += chunk
          response.end(JSON.stringify({ path: request.url, headers: request.headers, body }))
        }),
        await listening(forwardAuthListener(answerTo)),
      ]
      const configured = text
        .replaceAll('8000', `${front}`)
        .replaceAll('8001', `${behind}`)
        .replaceAll('7390', `${beside}`)
      const [name = '', ...args] = command(configured, folder)
      running = spawn(name, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, HOME: folder },
      })
      for (const stream of [running.stdout, running.stderr])
        stream?.on('data', (chunk) => printed.push(`${chunk}`))
      url = `http://127.0.0.1:${front}`
      await answered()
    }, 40_000)
    afterAll(async () => {
      if (running.exitCode === null) {
        const ended = new Promise((resolve) => running.once('exit', resolve))
        running.kill()
        await ended
      }
      for (const close of closing) close()
      await scene.close()
      rmSync(folder, { recursive: true, force: true })
    })

    /** It asks, and says no. Throws with what the program printed. */
    async function answered(): Promise<void> {
      for (let tries = 0; tries < 200; tries++) {
        if ((await send(url, {}).catch(() => undefined))?.status === 401) return
        if (running.exitCode !== null) break
        await sleep(100)
      }
      throw new Error(`${program} does not work: ${printed.join('')}`)
    }

    async function proved({ path = '/v1/unwrap', method = 'GET', body = '' }: Sent = {}) {
      const token = scene.good.possession
      const named = body === '' ? {} : { bodySha256: await sha256(body) }
      const claims = { htm: method, htu: `${publicUrl}${path}`, ...named }
      return { authorization: `DPoP ${token}`, dpop: await scene.proof(token, { claims }) }
    }

    test('lets an attested agent through, and says who it is', async () => {
      const post = { method: 'POST', path: '/v1/unwrap', body: '{"key":"k1"}' }
      const { status, text: said } = await send(url, {
        ...post,
        path: '/v1/unwrap?x=1',
        headers: { ...(await proved(post)), 'content-type': 'application/json' },
      })
      expect([status, asked.at(-1)]).toEqual([200, 'POST /v1/unwrap accepted'])
      expect(JSON.parse(said)).toMatchObject({
        path: '/v1/unwrap?x=1',
        body: post.body,
        headers: {
          'x-vouchsafe-subject': 'spiffe://attest.example.com/t/default/env/prod/agent/invoice-bot',
          'x-vouchsafe-tenant': 'default',
          'x-vouchsafe-environment': 'prod',
          'x-vouchsafe-agent': 'invoice-bot',
          'x-vouchsafe-form': 'possession',
          'x-vouchsafe-proved': 'yes',
          'x-vouchsafe-status': 'affirming',
          'x-vouchsafe-assurance': 'hardware',
          'x-vouchsafe-key': scene.sig.thumbprint,
          'x-vouchsafe-jti': expect.stringMatching(/.{8}/),
          'x-vouchsafe-expires': expect.stringMatching(/^\d{10}$/),
          'x-vouchsafe-body-sha256': await sha256(post.body),
        },
      })
    })

    test('lets a bearer token through, and says that nothing proves the request', async () => {
      const authorization = `Bearer ${scene.good.federation}`
      const { text: said } = await send(url, { headers: { authorization } })
      expect(JSON.parse(said).headers).toMatchObject({
        'x-vouchsafe-proved': 'no',
        'x-vouchsafe-scope': 'secret:db-ro',
      })
    })

    test('takes the longest token that there is', async () => {
      const token = await scene.signed('federation', { x: 'x'.repeat(6_000) })
      expect(token.length).toBeGreaterThan(8_192)
      expect((await send(url, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
    })

    test.each<[string, number, () => Promise<Sent>]>([
      ['nothing', 401, async () => ({})],
      [
        'a token without a proof',
        401,
        async () => ({ headers: { authorization: `DPoP ${scene.good.possession}` } }),
      ],
      [
        'a token of another issuer',
        401,
        async () => ({
          headers: {
            authorization: `Bearer ${await scene.signed('federation', { iss: 'https://x.example' })}`,
          },
        }),
      ],
      ['a proof for another path', 401, async () => ({ path: '/admin', headers: await proved() })],
      [
        'a proof for another method',
        401,
        async () => ({ method: 'DELETE', headers: await proved() }),
      ],
      [
        'simulated evidence',
        403,
        async () => ({
          headers: {
            authorization: `Bearer ${await scene.signed('federation', { att_assurance: 'simulated' })}`,
          },
        }),
      ],
    ])('answers whoever brings %s with %i', async (_, status, sent) => {
      const answer = await send(url, await sent())
      expect(answer.status).toBe(status)
      expect(answer.text).not.toContain('vouchsafe')
      if (status === 401) expect(answer.headers['www-authenticate']).toMatch(/^DPoP algs="ES256"/)
    })

    test('takes a proof once', async () => {
      const headers = await proved()
      expect((await send(url, { headers })).status).toBe(200)
      expect([(await send(url, { headers })).status, asked.at(-1)]).toEqual([
        401,
        'GET /v1/unwrap proof-used',
      ])
    })

    test.each([
      { path: '/admin', method: 'GET' },
      { path: '/v1/unwrap', method: 'DELETE' },
    ])('lets no caller say that $method $path is another request', async (sent) => {
      const headers = {
        ...(await proved()),
        'x-original-uri': '/v1/unwrap',
        'x-original-method': 'GET',
        'x-forwarded-uri': '/v1/unwrap',
        'x-forwarded-method': 'GET',
        'x-envoy-original-path': '/v1/unwrap',
        'x-original-url': '/v1/unwrap',
        'x-rewrite-url': '/v1/unwrap',
        'x-http-method-override': 'GET',
      }
      expect((await send(url, { ...sent, headers })).status).toBe(401)
    })

    test('lets no caller say who it is', async () => {
      const forged = Object.fromEntries(
        [
          'Subject',
          'Tenant',
          'Environment',
          'Agent',
          'Form',
          'Proved',
          'Status',
          'Assurance',
          'Scope',
          'Jti',
          'Key',
          'Expires',
          'Body-Sha256',
        ]
          .flatMap((name) => [
            `X-Vouchsafe-${name}`,
            `x-vouchsafe-${name}`.toLowerCase().replaceAll('-', '_'),
          ])
          .map((name) => [name, ['forged', 'forged again']]),
      )
      const headers = { ...(await proved()), ...forged }
      const { status, text: said } = await send(url, { headers })
      expect(status).toBe(200)
      expect(JSON.parse(said).headers['x-vouchsafe-agent']).toBe('invoice-bot')
      expect(said).not.toContain('forged')
    })

    // nginx drops no header by the beginning of its name.
    test.skipIf(kind === 'nginx')('hands on no other header of this family', async () => {
      const headers = { ...(await proved()), 'X-Vouchsafe-Role': 'forged' }
      expect((await send(url, { headers })).text).not.toContain('forged')
    })

    test('is asked about every request: none goes past it', async () => {
      const before = asked.length
      for (const path of [
        '/',
        '//',
        '/v1/../v1/unwrap',
        '/vouchsafe',
        '/authorize/v1/unwrap',
        '/%2e%2e/',
        '/.well-known/x',
      ])
        expect([path, (await send(url, { path })).status]).not.toEqual([path, 200])
      expect(asked.slice(before).filter((line) => line.endsWith('accepted'))).toEqual([])
    })
  })
}
