/** Are the files of this machine read whole, listed in one order, and bounded? */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { localFiles } from '../../src/adapters/local-files.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vouchsafe-files-'))
  writeFileSync(join(folder, 'b'), new Uint8Array(200_000).fill(7))
  writeFileSync(join(folder, 'a'), '')
  mkdirSync(join(folder, 'c'))
  writeFileSync(join(folder, 'large'), '')
  truncateSync(join(folder, 'large'), 64 * 1024 * 1024 + 1)
})
afterAll(() => rmSync(folder, { recursive: true }))

it('reads a file of several chunks, and an empty one', async () => {
  expect(await localFiles.read(join(folder, 'b'))).toEqual(new Uint8Array(200_000).fill(7))
  expect(await localFiles.read(join(folder, 'a'))).toEqual(new Uint8Array())
})

it('reads what states no size, as kernel interfaces do', async () =>
  expect((await localFiles.read('/proc/self/status')).length).toBeGreaterThan(100))

it('lists by name', async () =>
  expect(await localFiles.list(folder)).toEqual(['a', 'b', 'c', 'large']))

it('knows a folder from a file and from nothing', async () => {
  expect(await localFiles.isDirectory(folder)).toBe(true)
  expect(await localFiles.isDirectory(join(folder, 'a'))).toBe(false)
  expect(await localFiles.isDirectory(join(folder, 'gone'))).toBe(false)
})

it('refuses a file above 64 MiB, a folder, and what is not there', async () => {
  await expect(localFiles.read(join(folder, 'large'))).rejects.toThrow(/more than 67108864 bytes/)
  await expect(localFiles.read(folder)).rejects.toMatchObject({ code: 'EISDIR' })
  await expect(localFiles.read(join(folder, 'gone'))).rejects.toMatchObject({ code: 'ENOENT' })
})
