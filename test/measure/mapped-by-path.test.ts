/** What is measured of mapped files where the kernel does not hand them out: what lies at their paths, and nothing else in its place. */
import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, realpathSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Look, looker } from '../../enclave/measure/look.ts'
import { digestOfFile, notPrivileged } from './victim.ts'

let folder: string
let program: string
let child: ChildProcess

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'vouchsafe-by-path-')))
  program = join(folder, 'program')
  copyFileSync('/bin/sleep', program)
  child = spawn(program, ['600'], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('spawn', resolve))
  // Its libraries are mapped by its loader.
  await vi.waitFor(() => expect(looking().measurements.length).toBeGreaterThan(2))
})
afterEach(() => {
  child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

function looking(mappedFiles: 'by-path' | 'through-kernel' = 'by-path'): Look {
  const agent = { pid: child.pid ?? 0, trees: [], models: [] }
  const watched = { ...agent, memoryText: 'unwatched', mappedFiles } as const
  return looker(watched, () => performance.now())({
    ...{ nonce: 'nonce', extent: 'sample', source: 'files', opened: [], changed: [] },
    limits: { milliseconds: 20_000, files: 1000 },
  })
}

describe.skipIf(process.platform !== 'linux')('files that are read by path', () => {
  it('are the program and the libraries of a running process', () => {
    const { measurements, blindness } = looking()
    expect(blindness).toBeUndefined()
    expect(measurements).toContainEqual({
      ...{ kind: 'executable', path: program, digest: digestOfFile(program) },
    })
    expect(measurements.some(({ path }) => path.includes('libc.so'))).toBe(true)
  })

  it.skipIf(notPrivileged)('are what the kernel itself hands out', () => {
    expect(looking().measurements).toEqual(looking('through-kernel').measurements)
  })

  it('blind the collector when another lies there by now', () => {
    const other = join(folder, 'other')
    copyFileSync('/bin/cat', other)
    renameSync(other, program)
    const { blindness, measurements } = looking()
    expect(blindness).toContain(`library ${program} (deleted): ENOENT`)
    expect(measurements.filter(({ path }) => path.startsWith(program))).toEqual([])
  })

  it('blind the collector when another process put a file at the name that it maps', () => {
    copyFileSync('/bin/cat', `${program} (deleted)`)
    rmSync(program)
    expect(looking().blindness).toContain(`library ${program} (deleted): another file, or none`)
  })
})
