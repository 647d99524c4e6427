/** Releases while the program that holds the key-encryption key gives no answer: told as such, in time, and nothing leaves. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keyEncryptionByCommand } from '#src/adapters/key-encryption-command.ts'
import type { KeyEncryptions } from '#src/service/key-encryption.ts'
import { type ReleaseScene, refusal, releaseScene } from './scene.ts'

let scene: ReleaseScene
const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-releases-kek-'))
beforeAll(async () => {
  scene = await releaseScene()
})
afterAll(async () => {
  await scene.service.close()
  rmSync(folder, { recursive: true })
})

test('a device that hangs behind the program is answered with 503, and asked again later', async () => {
  const program = join(folder, 'wrapper')
  // XOR with nothing is no encryption: what is tested is when it answers.
  const says = (body: string) => writeFileSync(program, `#!/bin/sh\n${body}\n`, { mode: 0o700 })
  says('cat')
  const env = { PATH: process.env.PATH }
  const kek = keyEncryptionByCommand({ program, handle: 'kek-1', env, timeoutMs: 500 })
  Object.assign(scene.service.verifier, { keyEncryption: [kek] satisfies KeyEncryptions })
  await scene.put('secret:db')
  const agent = await scene.agent()

  says('sleep 20')
  const began = performance.now()
  const answer = await scene.release(agent)
  expect(answer).toMatchObject(refusal(503, 'key-encryption-unavailable', 'did not end within'))
  expect(answer.headers.get('retry-after')).toBe('5')
  expect(JSON.stringify(answer.json)).not.toContain(program)
  expect(performance.now() - began).toBeLessThan(5000)
  expect(scene.service.journal.some(({ event }) => event === 'release.granted')).toBe(false)

  says('cat')
  expect(await scene.release(agent)).toMatchObject({ status: 200 })
}, 30_000)
