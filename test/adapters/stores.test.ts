/** The memory store and PGlite keep one contract; PGlite keeps it in a directory, for one process at a time. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lockDataDirectory } from '#src/adapters/data-directory-lock.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { openPgliteStore } from '#src/adapters/pglite-store.ts'
import { pinoJournal } from '#src/adapters/pino-journal.ts'
import type { Store } from '#src/service/ports.ts'
import { storeContract } from './store-contract.ts'
import { AT, keep, record } from './store-records.ts'

const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-stores-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const memory = memoryStore()
storeContract('memory', () => memory)

let pglite: Store
beforeAll(async () => {
  pglite = await openPgliteStore(join(scratch, 'contract'))
})
afterAll(() => pglite.close())
storeContract('pglite', () => pglite)

describe('a PGlite directory', () => {
  const directory = join(scratch, 'restart')

  test('holds after a restart what was recorded before', async () => {
    const id = '00000000-0000-4000-8000-000000000001'
    const first = await openPgliteStore(directory)
    await keep(first, 'c', record(id))
    await first.close()
    const second = await openPgliteStore(directory)
    expect(await second.findAppraisal(id)).toEqual(record(id))
    expect(await keep(second, 'c', record(id))).toBe('challenge-used')
    await second.close()
  })

  test('is refused to a second opener and given back on close', async () => {
    const first = await openPgliteStore(directory)
    await expect(openPgliteStore(directory)).rejects.toThrow(
      `process ${process.pid} holds it; stop that one first`,
    )
    await first.close()
    expect(readdirSync(directory)).toEqual(['database'])
  })
})

test('what the log gets of a failed query has none of its parameters', async () => {
  const id = '00000000-0000-4000-8000-000000000777'
  const secret = { ...record(id), requestId: 'a-parameter' }
  await keep(pglite, 'p1', secret)
  const failed = await keep(pglite, 'p2', secret).catch((error: unknown) => error)
  const lines: string[] = []
  const journal = pinoJournal({ level: 'info', to: { write: (line) => lines.push(line) } })
  const { cause } = failed as Error
  expect(cause).toBeInstanceOf(Error)
  journal.record({ event: 'request.failed', at: AT, requestId: 'r', cause })
  expect(JSON.parse(lines.join(''))).toMatchObject({ level: 'error', event: 'request.failed' })
  expect(lines.join('')).toContain('duplicate key')
  expect(lines.join('')).not.toContain('a-parameter')
})

describe('the lock', () => {
  const place = (name: string) => join(scratch, `lock-${name}`)
  const left = (directory: string, holder: unknown) =>
    writeFileSync(join(directory, 'vouchsafe.lock'), JSON.stringify(holder))

  async function abandoned(name: string, holder: unknown) {
    const directory = place(name)
    await (await lockDataDirectory(directory)).release()
    left(directory, holder)
    return directory
  }

  test.each([
    ['a process that is gone', { pid: 2 ** 22 + 1, started: '1', host: hostname() }],
    [
      'one whose number is now another’s, as every container’s is 1',
      { pid: process.pid, started: '1', host: hostname() },
    ],
    ['nobody, because its writer died over it', 'half'],
  ])('is taken over from %s', async (name, holder) => {
    const lock = await lockDataDirectory(await abandoned(name, holder))
    await lock.release()
  })

  test('is left to a process that lives', async () => {
    const child = spawn('sleep', ['60'])
    try {
      const { pid } = child
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
      const directory = await abandoned('alive', { pid, started, host: hostname() })
      await expect(lockDataDirectory(directory)).rejects.toThrow(`process ${pid} holds it`)
    } finally {
      child.kill()
    }
  })

  test('is left to another machine that touched it lately', async () => {
    const directory = await abandoned('elsewhere', { pid: 1, started: '1', host: 'other' })
    await expect(lockDataDirectory(directory)).rejects.toThrow('a process on other holds it')
  })

  test('goes to one of twenty that find it stale at once', async () => {
    const directory = await abandoned('race', { pid: 2 ** 22 + 1, started: '1', host: hostname() })
    const attempts = await Promise.allSettled(
      Array.from({ length: 20 }, () => lockDataDirectory(directory)),
    )
    const won = attempts.filter(({ status }) => status === 'fulfilled')
    expect(won).toHaveLength(1)
  })
})
