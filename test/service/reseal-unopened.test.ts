/** What becomes of keys and secrets under a new key-encryption key whose holder does not give back what it wrapped? They stay as they were. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keyEncryptionByCommand } from '#src/adapters/key-encryption-command.ts'
import { openedKey } from '#src/service/key-room.ts'
import { putResource } from '#src/service/put-resource.ts'
import { resealKeys } from '#src/service/reseal-keys.ts'
import { resealResources } from '#src/service/reseal-resources.ts'
import { openSealed } from '#src/service/sealed-resource.ts'
import { type RunningService, runService } from '../http/running-service.ts'

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-unopened-'))
/** Exits 0, and says the same whatever it is asked: a slot that was wiped, a stub, a pipe that was cut. */
const program = join(folder, 'lies')
writeFileSync(program, '#!/bin/sh\ncat > /dev/null\nprintf %032d 0\n', { mode: 0o700 })
const target = keyEncryptionByCommand({
  ...{ program, handle: 'kek-2' },
  env: { PATH: process.env.PATH },
})

const name = 'secret:db-ro'

let service: RunningService
beforeAll(async () => {
  service = await runService()
})
afterAll(async () => {
  await service.close()
  rmSync(folder, { recursive: true })
})

test('the service’s keys are not replaced by what nobody can open', async () => {
  const { verifier } = service
  const before = await verifier.store.allKeys()
  await expect(resealKeys(verifier, target)).rejects.toMatchObject({
    code: 'configuration-invalid',
    detail: expect.stringContaining('does not open under command:kek-2'),
  })
  expect(await verifier.store.allKeys()).toEqual(before)
  for (const key of before) expect((await openedKey(verifier, key)).length).toBeGreaterThan(0)
})

test('nor are secrets', async () => {
  const { verifier, clock } = service
  const secret = new TextEncoder().encode('hunter2')
  const put = { tenant: 'default', name, settings: {}, secret, by: 'otto' }
  await putResource(verifier, put, clock.at)
  await expect(resealResources(verifier, ['default'], target)).rejects.toMatchObject({
    code: 'configuration-invalid',
    detail: expect.stringContaining('does not open under command:kek-2'),
  })
  const kept = await verifier.store.sealedVersion('default', name, 1)
  if (!kept) throw new Error('it is gone')
  const named = { tenant: 'default', name, version: 1 }
  const content = await openSealed(named, kept.sealed, verifier.keyEncryption)
  expect(new TextDecoder().decode(content.secret)).toBe('hunter2')
})
