/** OpenBao itself, set up by the commands of docs/relying-party.md, exchanges our tokens and refuses whatever is wrong with one. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { signToken } from '#src/token/issuer.ts'
import { describeWithOpenBao, type OpenBao, openBao } from '../../openbao.ts'
import { type Issued, issued, SUBJECT } from './issued.ts'

const page = readFileSync(new URL('../../../docs/relying-party.md', import.meta.url), 'utf8')
const commands =
  page.split('\n### OpenBao and Vault\n')[1]?.split('```sh\n')[1]?.split('```')[0] ?? ''

const answered = z.object({
  auth: z.object({ token_policies: z.array(z.string()), lease_duration: z.int() }),
})

describeWithOpenBao('OpenBao', () => {
  let scene: Issued
  let bao: OpenBao

  beforeAll(async () => {
    ;[scene, bao] = await Promise.all([issued(), openBao()])
    const authorities = join(bao.folder, 'ca-of-the-service.pem')
    writeFileSync(authorities, scene.front.authorities)
    const text = commands
      // Of an authority that only this test knows.
      .replace('oidc_discovery_url=', `oidc_discovery_ca_pem=@${authorities} oidc_discovery_url=`)
      .replace('https://attest.example.com', scene.front.url)
      .replace('spiffe://attest.example.com/t/default/env/prod/agent/invoice-bot', SUBJECT)
    // The answers of the service come from this process.
    await promisify(execFile)('sh', ['-ec', text], { env: bao.env }).catch((error) => {
      throw new Error(`${error.stderr}\n${bao.printed()}`)
    })
  }, 60_000)
  afterAll(async () => {
    await bao.close()
    await scene.close()
  })

  /** What was given for the token, or why nothing was. */
  async function login(token: string) {
    const asked = execFile(
      'bao',
      ['write', '-format=json', 'auth/jwt/login', 'role=invoice-bot', 'jwt=-'],
      { env: bao.env },
    )
    const [out, err]: string[][] = [[], []]
    asked.stdout?.on('data', (chunk) => out?.push(`${chunk}`))
    asked.stderr?.on('data', (chunk) => err?.push(`${chunk}`))
    asked.stdin?.end(token)
    const status = await new Promise((resolve) => asked.once('close', resolve))
    return status === 0
      ? answered.parse(JSON.parse(out?.join('') ?? '')).auth
      : (err?.join('') ?? '')
  }

  test('gives an attested agent what its role says, for five minutes', async () => {
    expect(await login(scene.federation)).toEqual({
      token_policies: ['default', 'invoice-bot'],
      lease_duration: 300,
    })
  })

  test('refuses everything else', async () => {
    const accepted: string[] = []
    for (const [name, token] of Object.entries(scene.refused))
      if (typeof (await login(token)) !== 'string') accepted.push(name)
    expect(accepted).toEqual([])
  })

  test.each<[string, (claims: Record<string, unknown>) => Record<string, unknown>, RegExp]>([
    ['simulated evidence', () => ({ att_assurance: 'simulated' }), /att_assurance/],
    ['another agent', () => ({ sub: `${SUBJECT}-two` }), /sub/],
    ['a result that is not affirming', warned, /ear_status/],
    [
      'a token that ended five seconds ago',
      () => ({ exp: Math.floor(Date.now() / 1000) - 5 }),
      /exp/,
    ],
  ])('refuses by its own rules %s that we signed', async (_, change, said) => {
    const issuer = scene.service.verifier.tenants.get('default')?.issuers.hardware
    if (!issuer) throw new Error('no issuer')
    const claims = structuredClone(decodeJwt(scene.federation)) as Record<string, unknown>
    const changed = { ...claims, ...change(claims) }
    const token = await signToken(issuer, {
      form: 'federation',
      claims: changed,
      at: scene.service.clock.at,
    })
    expect(await login(token)).toMatch(said)
  })
})

function warned({ submods }: Record<string, unknown>): Record<string, unknown> {
  const { cpu0, ...others } = submods as Record<string, object>
  return { submods: { ...others, cpu0: { ...cpu0, ear_status: 'warning' } } }
}
