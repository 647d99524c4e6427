/** A key-encryption key in the transit engine of OpenBao itself, over TLS, by a token that may do what docs/operations.md says. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { keyEncryptionByTransit, type TransitKey } from '#src/adapters/key-encryption-transit.ts'
import { systemRandom } from '#src/adapters/system.ts'
import { Problem } from '#src/problems.ts'
import { openSealed, sealResource } from '#src/service/sealed-resource.ts'
import { describeWithOpenBao, type OpenBao, openBao } from '../openbao.ts'

const dataKey = new Uint8Array(32).map((_, place) => place)
const TOKEN = 'of-the-service-alone'
const FORBIDDEN =
  'answered 403: the token may not do this, or is over, or there is no key of this name'

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
const policy = /^path "transit\/encrypt\/vouchsafe"[^`]*/m.exec(page)?.[0] ?? ''

describeWithOpenBao('the transit engine of OpenBao', () => {
  let bao: OpenBao
  beforeAll(async () => {
    bao = await openBao()
    await bao.ask('POST', 'sys/mounts/transit', { type: 'transit' })
    await bao.ask('POST', 'sys/policies/acl/vouchsafe', { policy })
    const ours = { id: TOKEN, policies: ['vouchsafe'], no_default_policy: true }
    await bao.ask('POST', 'auth/token/create', ours)
  }, 60_000)
  afterAll(() => bao.close())
  beforeEach(async () => {
    await bao.ask('POST', 'transit/keys/vouchsafe')
    return async () => {
      await bao.ask('POST', 'transit/keys/vouchsafe/config', { deletion_allowed: true })
      await bao.ask('DELETE', 'transit/keys/vouchsafe')
    }
  })

  const by = (change: Partial<TransitKey> = {}) =>
    keyEncryptionByTransit({
      url: bao.url,
      mount: 'transit',
      key: 'vouchsafe',
      namespace: undefined,
      authorities: bao.authorities,
      token: () => `${TOKEN}\n`,
      ...change,
    })
  const asRoot = () => by({ token: () => bao.env.BAO_TOKEN ?? '' })

  test('unwraps what it wrapped, whoever asks, and binds it to its purpose', async () => {
    const wrapped = await by().wrap(dataKey)
    expect(Buffer.from(wrapped).toString()).toMatch(/^bvault:v1:[A-Za-z0-9+/]+=*$/)
    expect(await by().unwrap(wrapped)).toEqual(dataKey)
    // It is asked without a purpose.
    const unmarked = Buffer.from(`u${Buffer.from(wrapped).toString().slice(1)}`)
    await expect(by().unwrap(unmarked)).rejects.toThrow('this is not what the key wrapped')
  })

  test('gives nothing for what was encrypted with this key for another purpose', async () => {
    for (const purpose of [{}, { associated_data: Buffer.from('another').toString('base64') }]) {
      const plaintext = Buffer.from(dataKey).toString('base64')
      const asked = { plaintext, ...purpose }
      const answer = await bao.ask('POST', 'transit/encrypt/vouchsafe', asked)
      const { ciphertext } = (answer as { readonly data: { readonly ciphertext: string } }).data
      const other = Buffer.from(`b${ciphertext}`)
      await expect(by().unwrap(other)).rejects.toThrow('this is not what the key wrapped')
    }
  })

  test('gives nothing for what was changed, cut or never wrapped', async () => {
    const wrapped = await by().wrap(dataKey)
    const text = Buffer.from(wrapped).toString()
    const others = [
      ...[10, 30, wrapped.length - 3].map((at) => wrapped.with(at, wrapped[at] === 65 ? 66 : 65)),
      wrapped.subarray(0, 30),
      Buffer.from(text.replace(':v1:', ':v7:')),
    ]
    for (const other of others)
      await expect(by().unwrap(other), Buffer.from(other).toString()).rejects.toThrow(
        'the transit engine refused to decrypt: this is not what the key wrapped',
      )
  })

  test('still opens what an older version of its key wrapped, until that is retired', async () => {
    const wrapped = await by().wrap(dataKey)
    await bao.ask('POST', 'transit/keys/vouchsafe/rotate')
    const newer = await by().wrap(dataKey)
    expect(Buffer.from(newer).toString()).toMatch(/^bvault:v2:/)
    expect(await by().unwrap(wrapped)).toEqual(dataKey)
    await bao.ask('POST', 'transit/keys/vouchsafe/config', { min_decryption_version: 2 })
    await expect(by().unwrap(wrapped)).rejects.toThrow(
      'the transit engine refused to decrypt: that version of the key is retired',
    )
    expect(await by().unwrap(newer)).toEqual(dataKey)
  })

  test('says of another token, and of one that was revoked, that it may not', async () => {
    const wrapped = await by().wrap(dataKey)
    const shortLived = { id: 'short-lived', policies: ['vouchsafe'] }
    await bao.ask('POST', 'auth/token/create', shortLived)
    const late = by({ token: () => shortLived.id })
    expect(await late.unwrap(wrapped)).toEqual(dataKey)
    await bao.ask('POST', 'auth/token/revoke', { token: shortLived.id })
    for (const kek of [late, by({ token: () => 'never-known' })])
      for (const work of [() => kek.wrap(dataKey), () => kek.unwrap(wrapped)])
        expect(await faultOf(work())).toContain(FORBIDDEN)
  })

  test('says of a key that is not there, or was deleted, what is wrong', async () => {
    const kek = by()
    const wrapped = await kek.wrap(dataKey)
    expect(await faultOf(by({ key: 'misspelt' }).wrap(dataKey))).toContain(FORBIDDEN)
    await bao.ask('DELETE', 'transit/keys/vouchsafe/soft-delete')
    const marked = 'the key is marked as deleted there'
    expect(await faultOf(kek.wrap(dataKey))).toContain(`refused to encrypt: ${marked}`)
    await expect(kek.unwrap(wrapped)).rejects.toThrow(`refused to decrypt: ${marked}`)
    await bao.ask('POST', 'transit/keys/vouchsafe/soft-delete-restore')
    expect(await kek.unwrap(wrapped)).toEqual(dataKey)
    await bao.ask('POST', 'transit/keys/vouchsafe/config', { deletion_allowed: true })
    await bao.ask('DELETE', 'transit/keys/vouchsafe')
    expect(await faultOf(kek.wrap(dataKey))).toContain(FORBIDDEN)
    await expect(kek.unwrap(wrapped)).rejects.toThrow(
      'refused to decrypt: it has no key of this name',
    )
    // Why tokens must not have `create`: this is another key of the same name.
    await asRoot().wrap(dataKey)
    await expect(kek.unwrap(wrapped)).rejects.toThrow('this is not what the key wrapped')
  })

  test.each<[type: string, refused?: string]>([
    ['aes128-gcm96'],
    ['xchacha20-poly1305'],
    ['rsa-2048', 'the key is of a type without associated data'],
    ['ed25519', 'the key is of a type without associated data'],
    ['derived', 'the key derives keys from a context, which is not given'],
  ])('with a key of type %s', async (type, refused) => {
    await bao.ask('POST', `transit/keys/${type}`, type === 'derived' ? { derived: true } : { type })
    const kek = by({ key: type, token: () => bao.env.BAO_TOKEN ?? '' })
    if (refused)
      expect(await faultOf(kek.wrap(dataKey))).toContain(`refused to encrypt: ${refused}`)
    else expect(await kek.unwrap(await kek.wrap(dataKey))).toEqual(dataKey)
  })

  test('is found by mount and namespace, and said not to be there without', async () => {
    await bao.ask('POST', 'sys/namespaces/team-a')
    await bao.ask('POST', 'team-a/sys/mounts/keys/transit', { type: 'transit' })
    await bao.ask('POST', 'team-a/keys/transit/keys/vouchsafe')
    const there = { mount: 'keys/transit', token: () => bao.env.BAO_TOKEN ?? '' }
    const kek = by({ ...there, namespace: 'team-a' })
    expect(await kek.unwrap(await kek.wrap(dataKey))).toEqual(dataKey)
    for (const namespace of [undefined, 'team-b'])
      expect(await faultOf(by({ ...there, namespace }).wrap(dataKey))).toContain(
        'answered 404: there is no such engine; check mount and namespace',
      )
  })

  test('that is sealed is a problem until it is not, and secrets open again', async () => {
    const name = { tenant: 'default', name: 'secret:db', version: 1 }
    const sealing = { encryption: by(), random: systemRandom }
    const content = { secret: Buffer.from('hunter2'), settings: undefined }
    const sealed = await sealResource(name, content, sealing)
    await bao.seal()
    try {
      expect(await faultOf(by().wrap(dataKey))).toContain('answered 503: it is sealed')
      expect(await faultOf(openSealed(name, sealed, [by()]))).toContain('it is sealed')
    } finally {
      await bao.unseal()
    }
    const { secret } = await openSealed(name, sealed, [by()])
    expect(Buffer.from(secret).toString()).toBe('hunter2')
  })

  test('under an authority that this machine does not know is not asked', async () => {
    const strange = await faultOf(by({ authorities: undefined }).wrap(dataKey))
    expect(strange).toMatch(/cannot be reached \([A-Z_]*(CERT|SIGNATURE|ISSUER)[A-Z_]*\)/)
  })
})

/** Of the Problem that it ends in. */
async function faultOf(work: Promise<unknown>): Promise<string> {
  const cause = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(cause instanceof Problem) || cause.code !== 'key-encryption-unavailable')
    throw new Error(`no such Problem: ${String(cause)}`)
  expect(cause.detail).not.toContain(TOKEN)
  return cause.detail
}
