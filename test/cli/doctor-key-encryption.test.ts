/** What `vouchsafe doctor` says of whoever holds the key-encryption key: whether it does what the service will ask of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keyEncryptionExaminations } from '#src/cli/doctor-key-encryption.ts'
import { diagnose } from '#src/cli/doctor-tree.ts'
import { keyEncryptionsOf } from '#src/compose/key-encryption.ts'
import type { KeyEncryptionSetting } from '#src/config/key-settings.ts'
import type { Secrets } from '#src/config.ts'
import { type TransitServer, transitServer } from '../adapters/transit-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-doctor-'))
const file = (name: string, text: string, mode = 0o600) => {
  writeFileSync(join(folder, name), text, { mode })
  return join(folder, name)
}
let server: TransitServer
beforeAll(async () => {
  server = await transitServer()
})
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

const said = async (keyEncryption: KeyEncryptionSetting) => {
  const secrets = { keyEncryption, previousKeyEncryption: undefined }
  const all = keyEncryptionExaminations(
    { keyEncryptionsOf: () => keyEncryptionsOf(secrets, {}) },
    // Only what is read of secrets.
    secrets as Secrets,
  )
  return await Promise.all(
    all.map(async (each) => {
      const { state, detail } = await diagnose('storage', each)
      return `${state}: ${detail}`
    }),
  )
}
const transit = (token: string): KeyEncryptionSetting => ({
  kind: 'transit',
  url: server.url,
  mount: 'transit',
  key: 'vouchsafe',
  namespace: undefined,
  tokenFile: file('token', token),
  authorities: undefined,
})

describe('the holder of the key-encryption key', () => {
  test('that is this process is not asked', async () => {
    const secret = new Uint8Array(32)
    expect(await said({ kind: 'secret', from: 'file', secret })).toEqual([])
  })

  test('that is a transit engine is asked to wrap and unwrap', async () => {
    expect(await said(transit('hvs.transit-token'))).toEqual([
      expect.stringMatching(/^ok: transit:transit\/vouchsafe wraps and unwraps, in \d+ ms$/),
    ])
  })

  test('that takes another token is a failure, told without the token', async () => {
    expect(await said(transit('hvs.wrong-token'))).toEqual([
      expect.stringContaining('the token may not do this, or is over'),
    ])
    expect(await said(transit('hvs.wrong-token'))).not.toEqual([
      expect.stringContaining('hvs.wrong-token'),
    ])
  })

  test('that is a program is run, and one that gives back other bytes is a failure', async () => {
    const program = file(
      'device',
      `#!${process.execPath}\nprocess.stdout.write(process.argv[2] === '--wrap' ? 'wrapped' : Buffer.alloc(32))\n`,
      0o700,
    )
    expect(await said({ kind: 'command', program, handle: 'kek' })).toEqual([
      'failure: command:kek does not give back what it wrapped',
    ])
  })
})
