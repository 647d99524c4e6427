/** Does introspection vouch for claims that were never issued? Whoever stole a signing key has a signature for any, and perhaps a live token of his own. */
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenForm } from '#src/rats/release.ts'
import { introspect } from '#src/service/introspect.ts'
import { signToken } from '#src/token/issuer.ts'
import { bornKeys, openTokens } from '../../enclave/attestation.ts'
import { audiences, issuing } from '../relying-parties/issuing.ts'
import { attestAt } from './attempt.ts'
import { AT, agentOf, type RunningService, runService } from './running-service.ts'

const { possession, federation, workload } = audiences

let service: RunningService
beforeAll(async () => {
  service = await runService()
})
afterAll(() => service.close())

async function issued(): Promise<string> {
  const { json } = await attestAt(service)
  const [opened] = await openTokens(json, (await agentOf(service)).keys)
  return opened?.token ?? 'none'
}

describe('under a stolen key', () => {
  /** As whoever stole the key could: everything right, under the jti of a live token of his own, but for `change`. */
  async function resigned(
    token: string,
    change: Readonly<Record<string, unknown>>,
    form: TokenForm = 'possession',
  ) {
    const issuer = service.verifier.tenants.get('default')?.issuers.simulated
    if (!issuer) throw new Error('no issuer')
    const claims = { ...decodeJwt(token), ...change }
    return await introspect(
      service.verifier,
      await signToken(issuer, { form, claims, at: service.clock.at }),
      service.clock.at,
    )
  }

  const second = {}

  test('what the record says is what it vouches for, whoever signed', async () => {
    expect(await resigned(await issued(), {})).toMatchObject({ active: true })
  })

  test.each<[string, Readonly<Record<string, unknown>>]>([
    ['another subject', { sub: 'spiffe://victim/agent/payroll' }],
    ['another tenant', { tenant: 'acme' }],
    ['no tenant', { tenant: undefined }],
    ['a later end', { exp: AT.getTime() / 1000 + 3600 }],
    ['an end a second earlier', { exp: AT.getTime() / 1000 + 239 }],
    ['another beginning', { iat: AT.getTime() / 1000 - 1 }],
    ['another audience', { aud: 'anything' }],
    ['its audience among others', { aud: ['kms.example', 'anything'] }],
    ['a scope', { scope: 'secret:root' }],
    ['another client', { client_id: 'somebody' }],
    ['another key', { cnf: { jkt: 'A'.repeat(43) } }],
    ['no key', { cnf: undefined }],
    ['a second key beside its own', second],
    ['another appraisal', { att_appraisal: '00000000-0000-4000-8000-000000000001' }],
    ['another place in a status list', { status: { status_list: { idx: 1e6, uri: 'x' } } }],
  ])('a token with %s than was issued is inactive', async (_, change) => {
    const mine = await issued()
    const { cnf } = decodeJwt(mine)
    // Its own thumbprint, which the row of the table cannot know.
    const own = change === second ? { cnf: { ...Object(cnf), jwk: {} } } : change
    expect(await resigned(mine, own)).toEqual({ active: false })
  })

  test('a token of another form under its jti is inactive', async () => {
    expect(await resigned(await issued(), {}, 'workload')).toEqual({ active: false })
  })

  test('tokens of every form are held against their records', async () => {
    const from = await issuing()
    try {
      const audience = [workload, federation, possession]
      const { json } = await from.attest({ audience })
      const { service: at } = from
      const opened = await openTokens(json, (await agentOf(at)).keys)
      const issuer = at.verifier.tenants.get('default')?.issuers.hardware
      const other = await bornKeys()
      const stolen = { jkt: other.sig.thumbprint, jwk: { ...other.sig.publicKey, alg: 'ES256' } }
      if (!issuer) throw new Error('no issuer')
      const active = async (token: string) =>
        (await introspect(at.verifier, token, at.clock.at)).active
      for (const [place, form] of (['workload', 'federation', 'possession'] as const).entries()) {
        const token = opened[place]?.token ?? 'none'
        const claims = decodeJwt(token)
        const sign = async (change: object) =>
          await signToken(issuer, { form, claims: { ...claims, ...change }, at: at.clock.at })
        const { jkt, jwk } = stolen
        expect([form, await active(token), await active(await sign({}))]).toEqual([
          form,
          true,
          true,
        ])
        expect(await active(await sign({ cnf: form === 'possession' ? { jkt } : { jwk } }))).toBe(
          false,
        )
        expect(await active(await sign({ aud: 'anything' }))).toBe(false)
      }
    } finally {
      await from.close()
    }
  }, 30_000)
})
