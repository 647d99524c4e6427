/** What holds the key-encryption key: a secret of ours, or a program that gives out no key. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { keyEncryptionByCommand } from '#src/adapters/key-encryption-command.ts'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { Problem } from '#src/problems.ts'

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-kek-'))
afterAll(() => rmSync(folder, { recursive: true }))
const dataKey = new Uint8Array(32).map((_, place) => place)

/** A program that does this with what it reads; `verb`, `handle` and `input` are at hand. */
function program(name: string, body: string): string {
  const path = join(folder, name)
  writeFileSync(
    path,
    `#!${process.execPath}\nconst [, , verb, handle] = process.argv\nconst input = require('node:fs').readFileSync(0)\n${body}\n`,
    { mode: 0o700 },
  )
  return path
}

/** XOR is no encryption: what is tested is how the program is asked. */
const device = program(
  'device',
  `const mask = verb === '--wrap' || verb === '--unwrap' ? handle.length : 0
process.stdout.write(input.map((byte) => byte ^ mask))`,
)
const by = (path: string, change: { handle?: string; timeoutMs?: number } = {}) =>
  keyEncryptionByCommand({ program: path, handle: 'kek-1', env: {}, ...change })

const refusalOf = async (asked: Promise<unknown>) =>
  await asked.then(
    () => undefined,
    (refusal: unknown) => refusal,
  )

describe('a secret', () => {
  const kek = keyEncryptionBySecret('file', new Uint8Array(32).fill(1))

  test('unwraps what it wrapped, each time into other bytes', async () => {
    const [one, other] = [await kek.wrap(dataKey), await kek.wrap(dataKey)]
    expect(one).not.toEqual(other)
    expect(await kek.unwrap(one)).toEqual(dataKey)
    expect(await kek.unwrap(other)).toEqual(dataKey)
  })

  test('unwraps nothing that another wrapped, or that was changed or cut', async () => {
    const wrapped = await kek.wrap(dataKey)
    const other = keyEncryptionBySecret('file', new Uint8Array(32).fill(2))
    await expect(other.unwrap(wrapped)).rejects.toThrow()
    for (let at = 0; at < wrapped.length; at++)
      await expect(kek.unwrap(wrapped.with(at, (wrapped[at] ?? 0) ^ 1)), `${at}`).rejects.toThrow()
    for (const size of [0, 12, 28, 40])
      await expect(kek.unwrap(wrapped.subarray(0, size))).rejects.toThrow()
  })

  test('is known by an id that does not show it, and that is the same wherever it comes from', () => {
    const again = keyEncryptionBySecret('environment', new Uint8Array(32).fill(1))
    expect(again.id).toEqual(kek.id)
    expect(kek.id).toHaveLength(8)
    expect(keyEncryptionBySecret('file', new Uint8Array(32).fill(2)).id).not.toEqual(kek.id)
    expect(JSON.stringify(kek)).not.toContain('1,1,1,1')
  })
})

describe('a program', () => {
  test('wraps and unwraps over its standard input and output', async () => {
    const wrapped = await by(device).wrap(dataKey)
    expect(wrapped).not.toEqual(dataKey)
    expect(await by(device).unwrap(wrapped)).toEqual(dataKey)
  })

  test('has nothing secret among its arguments or in its environment', async () => {
    const told = program(
      'tells',
      'process.stdout.write(JSON.stringify([process.argv, process.env]))',
    )
    const answer = await by(told).wrap(dataKey)
    const [argv, env] = JSON.parse(Buffer.from(answer).toString())
    expect(argv.slice(2)).toEqual(['--wrap', 'kek-1'])
    expect(env).not.toHaveProperty('PATH')
  })

  test('is known by its handle: another handle is another key', () => {
    expect(by(device).id).toEqual(by('/elsewhere').id)
    expect(by(device).id).not.toEqual(by(device, { handle: 'kek-2' }).id)
  })

  test.each([
    [
      'fails',
      "process.stderr.write('no slot 3\\nbye'); process.exit(3)",
      'exited 3: no slot 3 bye',
    ],
    [
      'answers without end',
      "for (;;) process.stdout.write('x'.repeat(4096))",
      'more than 4096 bytes',
    ],
    ['hangs', 'setInterval(() => {}, 1000)', 'did not end within 1 s'],
    [
      'does not let itself be ended',
      "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)",
      'did not end within 1 s',
    ],
  ])('that %s is told of by name', async (name, body, message) => {
    const path = program(name.replaceAll(' ', '-'), body)
    const refusal = await refusalOf(by(path, { timeoutMs: 1000 }).wrap(dataKey))
    expect(refusal).toMatchObject({
      code: 'key-encryption-unavailable',
      detail: expect.stringContaining(message),
      cause: { message: expect.stringContaining(`${path} --wrap kek-1 `) },
    })
  })

  test('that leaves behind what it started is waited for no longer than any other', async () => {
    const path = join(folder, 'wrapper')
    writeFileSync(path, '#!/bin/sh\nsleep 10\n', { mode: 0o700 })
    const asked = keyEncryptionByCommand({
      ...{ program: path, handle: 'kek-1', timeoutMs: 500 },
      env: { PATH: process.env.PATH },
    })
    const began = performance.now()
    expect(await refusalOf(asked.unwrap(dataKey))).toMatchObject({
      code: 'key-encryption-unavailable',
    })
    expect(performance.now() - began).toBeLessThan(5000)
  })

  test('that refuses to unwrap is not one that gave no answer: it may be these bytes', async () => {
    const path = program('refuses', 'process.exit(3)')
    const refusal = await refusalOf(by(path).unwrap(dataKey))
    expect(refusal).not.toBeInstanceOf(Problem)
    expect(refusal).toMatchObject({ message: `${path} --unwrap kek-1 exited 3` })
  })

  test('that is not there is told of by name', async () => {
    expect(await refusalOf(by('/nowhere').wrap(dataKey))).toMatchObject({
      detail: 'the program that holds the key-encryption key cannot be run (ENOENT)',
      cause: { message: '/nowhere --wrap kek-1 cannot be run (ENOENT)' },
    })
  })

  test('that wrapped nothing seals nothing', async () => {
    const { sealKey } = await import('#src/service/sealed-key.ts')
    const encryption = by(program('silent', ''))
    const random = { bytes: (size: number) => new Uint8Array(size) }
    await expect(
      sealKey({ kid: 'k', purpose: 'challenge' }, dataKey, { encryption, random }),
    ).rejects.toThrow('wrapped a data key into 0 bytes')
  })
})
