/** What freezes an agent before anybody was asked, and what does not? */
import { createHash } from 'node:crypto'
import { chmodSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { listLine, listOf } from '#src/policy/documents/measurement-list.ts'
import type { Behaviour, Measurement } from '#src/rats/runtime-event.ts'
import type { SeenFile, SensorEvent } from '../../enclave/sensor/sensor-event.ts'
import { readApprovedFiles } from '../../enclave/sidecar/approved-files.ts'
import { type GuardRequest, localGuard } from '../../enclave/sidecar/local-guard.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'vouchsafe-guard-')))
afterAll(() => rmSync(folder, { recursive: true }))

const written = (name: string, text = name) => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return { path, digest: `sha256:${createHash('sha256').update(text).digest('hex')}` }
}
const program = written('program')
const library = written('library')
const script = written('script')
const stranger = written('stranger')
/** As `vouchsafe measure tree` writes it. */
const { text } = listOf([
  listLine('executable', program.digest, program.path),
  listLine('library', library.digest, library.path),
  listLine('code', script.digest, script.path),
  listLine('executable', program.digest, join(folder, 'in another image')),
])
const list = written('list', text).path

function fileOf(path: string, change: Partial<SeenFile> = {}): SeenFile {
  const { dev, ino, ctimeNs, size } = statSync(path, { bigint: true })
  const [inode, changedAt] = [`${dev}:${ino}`, String(ctimeNs)]
  const whole = { isTruncated: false, isAnonymous: false, size: Number(size) }
  return { path, inode, changedAt, ...whole, ...change }
}

const by = { seq: 1, at: 1, pid: 7, tid: 7, parent: 1, uid: 0, comm: 'agent' }
const exec = (file: SeenFile): SensorEvent => ({ kind: 'exec', ...by, file })
const map = (file: SeenFile): SensorEvent => ({ kind: 'map', ...by, file, start: '0', bytes: 1 })
const call = (name: string): SensorEvent => ({
  ...{ kind: 'sensitive', ...by, call: name, arguments: [], detail: '', action: 'seen' },
})
const connection = (verdict: 'allowed' | 'denied'): SensorEvent => ({
  ...{ kind: 'connection', ...by, address: '192.0.2.1', port: 443 },
  ...{ protocol: 'tcp', how: 'connect', verdict },
})

function guarded(change: Partial<GuardRequest> = {}) {
  const frozen: string[] = []
  const guard = localGuard({
    approved: readApprovedFiles([list]),
    allowedCalls: ['setuid'],
    freeze: (reason) => {
      frozen.push(reason)
      return { kind: 'reaction', action: 'freeze', reason, microseconds: 1 }
    },
    ...change,
  })
  return { guard, frozen }
}

describe('with a list', () => {
  test.each<[string, SensorEvent, string | undefined]>([
    ['a listed program', exec(fileOf(program.path)), undefined],
    ['a listed program that is mapped', map(fileOf(program.path)), undefined],
    ['a listed library', map(fileOf(library.path)), undefined],
    ['a library that is started', exec(fileOf(library.path)), 'a program was started'],
    ['a script that is started', exec(fileOf(script.path)), 'a program was started'],
    ['a stranger', exec(fileOf(stranger.path)), `not approved: ${stranger.path}`],
    ['a stranger’s code', map(fileOf(stranger.path)), 'code was loaded'],
    ['another file at a listed path', exec(fileOf(program.path, { inode: '1:1' })), 'not approved'],
    ['a file that was written since', exec(fileOf(program.path, { changedAt: '1' })), 'not app'],
    ['a listed inode by another name', exec(fileOf(program.path, { path: '/x' })), 'not app'],
    ['a path that was too long', exec(fileOf(program.path, { isTruncated: true })), 'not app'],
    ['a program from memory', exec(fileOf(program.path, { isAnonymous: true })), 'from memory'],
    ['code from memory', map(fileOf(library.path, { isAnonymous: true })), 'no path leads to'],
    ['an allowed call', call('setuid'), undefined],
    ['another call', call('memfd_create'), 'memfd_create'],
    ['ptrace', call('ptrace'), 'ptrace'],
    ['a connection', connection('allowed'), undefined],
    ['a denied connection', connection('denied'), '192.0.2.1 port 443'],
  ])('%s', (_, event, says) => {
    const { guard, frozen } = guarded()
    guard.judge(event)
    expect(frozen).toEqual(says === undefined ? [] : [expect.stringContaining(says)])
  })

  test('what must not be called is not allowed by name', () => {
    const { guard, frozen } = guarded({ allowedCalls: ['ptrace'] })
    guard.judge(call('ptrace'))
    expect(frozen).toHaveLength(1)
  })

  test('denied connections are only reported where that was chosen', () => {
    const { guard, frozen } = guarded({ denied: 'report' })
    guard.judge(connection('denied'))
    expect(frozen).toEqual([])
  })
})

describe('without a list only what no manifest allows', () => {
  test.each<[string, SensorEvent, boolean]>([
    ['a stranger', exec(fileOf(stranger.path)), false],
    ['a stranger’s code', map(fileOf(stranger.path)), false],
    ['a sensitive call', call('memfd_create'), false],
    ['a program from memory', exec(fileOf(program.path, { isAnonymous: true })), true],
    ['ptrace', call('ptrace'), true],
    ['another’s memory', call('process_vm_writev'), true],
  ])('%s', (_, event, isStopped) => {
    const { guard, frozen } = guarded({ approved: undefined })
    guard.judge(event)
    expect(frozen).toHaveLength(isStopped ? 1 : 0)
  })
})

describe('of what a look shows', () => {
  const other = { digest: `sha256:${'0'.repeat(64)}` }
  test.each<[string, Behaviour | Measurement, boolean]>([
    [
      'memory that is not its file’s',
      { kind: 'text-mismatch', pid: 1, comm: 'a', path: '/p', offset: 4096 },
      true,
    ],
    ['a changed file', { kind: 'changed', path: '/p', from: other.digest, to: other.digest }, true],
    ['a deleted program', { kind: 'exec', pid: 1, comm: 'a', path: '/p', isAnonymous: true }, true],
    ['listed code', { kind: 'code', ...script }, false],
    ['a library that is read', { kind: 'code', ...library }, false],
    ['code that is another', { kind: 'code', ...script, ...other }, true],
    ['a model, of which lists say nothing', { kind: 'model', path: 'm', ...other }, false],
  ])('%s', (_, seen, isStopped) => {
    const { guard, frozen } = guarded()
    guard.looked(seen)
    expect(frozen).toHaveLength(isStopped ? 1 : 0)
  })
})

test('one alarm is told once, with what was done, to whoever asks later too', () => {
  const { guard, frozen } = guarded()
  const told: string[] = []
  let urgent = 0
  guard.onAlarm(({ reason }) => told.push(reason))
  guard.onUrgent(() => urgent++)
  guard.judge(call('ptrace'))
  guard.judge(call('bpf'))
  guard.onAlarm(({ reason }) => told.push(reason))
  expect(frozen).toHaveLength(1)
  expect(told).toEqual([frozen[0], frozen[0]])
  expect(urgent).toBe(1)
})

test('a plugin that was refused is told at once and stops nobody', () => {
  const { guard, frozen } = guarded()
  let urgent = 0
  guard.onUrgent(() => urgent++)
  const refused = { kind: 'plugin-call', plugin: 'p', outcome: 'refused', milliseconds: 0 } as const
  guard.looked({ ...refused, digest: stranger.digest })
  expect([frozen, urgent]).toEqual([[], 1])
})

test('an agent that cannot be frozen is told as blindness', () => {
  const { guard } = guarded({
    freeze: () => {
      throw new Error('ENOENT')
    },
  })
  guard.judge(call('ptrace'))
  expect(guard.alarm()?.event).toMatchObject({
    kind: 'blind',
    reason: expect.stringContaining('not frozen (ENOENT)'),
  })
})

describe('a list is refused', () => {
  test.each<[string, string, string]>([
    ['that is none', 'executable abc /x\n', 'line 1 is not'],
    ['without its last line’s end', text.trimEnd(), 'is no measurement list'],
    [
      'that names another content',
      `${listLine('executable', stranger.digest, program.path)}\n`,
      `${program.path} has the digest ${program.digest}`,
    ],
  ])('%s', (_, content, says) => {
    const { path } = written('wrong', content)
    expect(() => readApprovedFiles([path])).toThrow(says)
  })

  test('that cannot be read', () => {
    expect(() => readApprovedFiles([join(folder, 'nowhere')])).toThrow('cannot be read')
  })
})

test('a file whose mode changed is known no more', () => {
  const { path, digest } = written('mode')
  const own = written('own', `${listLine('executable', digest, path)}\n`)
  const approved = readApprovedFiles([own.path])
  expect(approved.mayStart(fileOf(path))).toBe(true)
  chmodSync(path, 0o777)
  expect(approved.mayStart(fileOf(path))).toBe(false)
})
