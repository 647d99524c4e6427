/**
 * Does Veraison's own library read the attestation results that `?ear=legacy` makes? Builds the command in go/, whose go.sum
 * pins every byte of it; skipped where Go or its modules are absent, except in CI: there that is a failure.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { tokenClaims } from '#src/token/claims.ts'
import type { EarNames } from '#src/token/ear.ts'
import { agent, planned } from '../../token/attested-agent.ts'
import { goTool, titled } from '../go-tool.ts'

const tool = goTool(join(import.meta.dirname, 'go'), 'ear')
const isSkipped = tool.missing !== undefined && !process.env.CI

describe.skipIf(isSkipped)(titled('veraison/ear', tool), () => {
  let command: string
  let pair: Awaited<ReturnType<typeof generateKeyPair>>
  beforeAll(async () => {
    command = tool.build()
    pair = await generateKeyPair('ES256', { extractable: true })
  }, 120_000)

  const nonce = Buffer.alloc(64, 7).toString('base64url')

  async function token(form: 'possession' | 'federation', names: EarNames): Promise<string> {
    const issuedAt = new Date()
    const expiresAt = new Date(issuedAt.getTime() + 300_000)
    const claims = tokenClaims(
      { ...agent, relyingPartyNonce: nonce },
      planned(form, { issuedAt, expiresAt }),
      names,
    )
    return await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT' })
      .sign(pair.privateKey)
  }

  async function read(...tokens: readonly string[]) {
    const input = JSON.stringify({ key: await exportJWK(pair.publicKey), tokens })
    return JSON.parse(execFileSync(command, { input }).toString())
  }

  test.each(['possession', 'federation'] as const)('reads a token of form %s', async (form) => {
    expect(await read(await token(form, 'legacy'))).toEqual([
      {
        error: '',
        nonce,
        submods: {
          cpu0: {
            status: 'affirming',
            vector: { configuration: 2, executables: 3, hardware: 2 },
          },
          agent0: { status: 'affirming', vector: { executables: 3 } },
        },
      },
    ])
  })

  test('does not know the names of 2026, which is why there are others', async () => {
    const [{ error }] = await read(await token('possession', '2026'))
    expect(error).toContain('ear.status')
  })

  test('refuses one that was changed', async () => {
    const good = await token('possession', 'legacy')
    const [header, payload, signature = ''] = good.split('.')
    const other = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
    const [{ error }] = await read([header, payload, other].join('.'))
    expect(error).toContain('verif')
  })
})
