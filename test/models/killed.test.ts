/** A seal that was killed, as by a power cut, goes on with the same command; what was finished is not done again. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runProgram, startProgram } from '../cli/program.ts'
import { filled } from './sealed-in-memory.ts'

let place: string
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'vouchsafe-model-killed-'))
  mkdirSync(join(place, 'model'))
})
afterEach(() => rmSync(place, { recursive: true, force: true }))

const FILES = 12
const FILE_BYTES = 6 * 1024 * 1024
const command = [
  'model',
  'seal',
  'model',
  '--name',
  'llama',
  '--version',
  '1',
  '--out',
  'sealed',
  '--key-out',
  'key',
]

test('a killed seal goes on, with other salts for what was not finished', async () => {
  for (let file = 0; file < FILES; file++)
    writeFileSync(
      join(place, 'model', `w${file.toString().padStart(2, '0')}.bin`),
      filled(FILE_BYTES, file + 1),
    )
  const first = startProgram(command, { cwd: place })
  await first.printed('sealing: 30 %')
  first.kill('SIGKILL')
  await first.ended
  const finished = readFileSync(join(place, 'sealed', 'sealing.jsonl'), 'utf8')
    .split('\n')
    .slice(1)
    .filter((line) => line.endsWith('}'))
    .map((line) => (JSON.parse(line) as { index: number }).index)
  expect(finished.length).toBeGreaterThan(0)
  expect(finished.length).toBeLessThan(FILES)
  const stateOf = (index: number) => {
    const { ino, mtimeNs } = statSync(join(place, 'sealed', `0000${index}.sealed`), {
      bigint: true,
    })
    return { ino, mtimeNs }
  }
  const before = finished
    .filter((index) => index < 10)
    .map((index) => ({ index, state: stateOf(index) }))
  const opening = ['model', 'open', 'sealed', '--out', 'opened', '--key-file', 'key']
  const half = await runProgram(opening, { cwd: place })
  expect(half.code).toBe(1)

  const second = await runProgram(command, { cwd: place })
  expect(second).toMatchObject({ code: 0 })
  for (const { index, state } of before) expect(stateOf(index)).toEqual(state)
  const whole = await runProgram(opening, { cwd: place })
  expect(whole).toMatchObject({ code: 0 })
  for (let file = 0; file < FILES; file++) {
    const name = `w${file.toString().padStart(2, '0')}.bin`
    const [is, was] = ['opened', 'model'].map((folder) => readFileSync(join(place, folder, name)))
    expect(is?.equals(was ?? Buffer.alloc(0))).toBe(true)
  }
}, 120_000)
