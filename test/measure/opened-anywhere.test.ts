/** Is whatever an agent opens measured, where all of its files are watched, and where it took the name away first? */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { looker } from '../../enclave/measure/look.ts'
import type { OpenedFile } from '../../enclave/measure/opened-files.ts'

let folder: string
let agent: ChildProcess
beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'vouchsafe-opened-')))
  agent = spawn('sleep', ['600'], { stdio: 'ignore' })
  await new Promise((resolve) => agent.once('spawn', resolve))
})
afterEach(() => {
  agent.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

function seen(path: string, change: Partial<OpenedFile> = {}, except: readonly string[] = []) {
  const { dev, ino, ctimeNs } = statSync(path, { bigint: true })
  const opened: OpenedFile = {
    ...{ pid: agent.pid ?? 0, path, inode: `${dev}:${ino}`, changedAt: `${ctimeNs}` },
    ...{ isTruncated: false, isAnonymous: false, use: 'open', ...change },
  }
  const trees = [{ path: '/', kind: 'code', except }] as const
  const watched = { pid: agent.pid ?? 0, trees, models: [], memoryText: 'unwatched' } as const
  const { measurements, blindness } = looker(watched, () => performance.now())({
    ...{ nonce: '', extent: 'sample', source: 'kernel', changed: [], opened: [opened] },
    limits: { milliseconds: 20_000, files: 1000 },
  })
  return { code: measurements.filter(({ kind }) => kind === 'code'), blindness }
}

it('anywhere below the root', () => {
  const path = join(folder, 'tool.py')
  writeFileSync(path, 'tool')
  const digest = `sha256:${createHash('sha256').update('tool').digest('hex')}`
  expect(seen(path)).toEqual({ code: [{ kind: 'code', path, digest }], blindness: undefined })
  expect(seen(path, {}, [folder])).toEqual({ code: [], blindness: undefined })
})

it('without a name, which nobody can read: that is said', () => {
  const path = join(folder, 'tool.py')
  writeFileSync(path, 'tool')
  expect(seen(path, { isAnonymous: true }).blindness).toBe(
    `code ${path}: it has no name by which it could be read`,
  )
})
