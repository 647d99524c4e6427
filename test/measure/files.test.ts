import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Limits } from '../../enclave/measure/budget.ts'
import { type LookRequest, looker, type WatchedAgent } from '../../enclave/measure/look.ts'
import type { OpenedFile } from '../../enclave/measure/opened-files.ts'
import { modelOf } from '../../src/seal/oms-statement.ts'
import { digestOfFile } from './victim.ts'

let folder: string
/** What runs is somebody else's test: the agent sleeps. */
let agentProcess: ChildProcess

beforeAll(async () => {
  agentProcess = spawn('sleep', ['600'], { stdio: 'ignore' })
  await new Promise((resolve) => agentProcess.once('spawn', resolve))
})
afterAll(() => {
  agentProcess.kill()
})

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'vouchsafe-files-')))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

function digestOf(content: string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

function looking(
  agent: Partial<WatchedAgent>,
  limits: Limits = { milliseconds: 20_000, files: 1000 },
  clock = () => performance.now(),
) {
  const watched = {
    pid: agentProcess.pid ?? 0,
    trees: [],
    models: [],
    memoryText: 'unwatched',
    ...agent,
  } as const
  const look = looker(watched, clock)
  return (request: Partial<LookRequest> = {}) => {
    const seen = look({
      nonce: 'nonce',
      extent: 'sample',
      limits,
      opened: [],
      source: 'files',
      changed: [],
      ...request,
    })
    const own = seen.measurements.filter(({ kind }) => kind !== 'library' && kind !== 'executable')
    return { ...seen, measurements: own }
  }
}

/** A clock by which each question takes a millisecond: a look reads at most 256 KiB in each of them. */
function counting(): () => number {
  let now = 0
  return () => now++
}

const code = (path: string) => ({ path, kind: 'code' }) as const

describe('a tree', () => {
  it('is measured file by file, and again only where something changed', () => {
    mkdirSync(join(folder, 'deep/er'), { recursive: true })
    writeFileSync(join(folder, 'a.js'), 'a')
    writeFileSync(join(folder, 'deep/er/b.js'), 'b')
    const look = looking({ trees: [code(folder)] })
    expect(look().measurements.toSorted((a, b) => a.path.localeCompare(b.path))).toEqual([
      { kind: 'code', path: join(folder, 'a.js'), digest: digestOf('a') },
      { kind: 'code', path: join(folder, 'deep/er/b.js'), digest: digestOf('b') },
    ])
    expect(look()).toMatchObject({ measurements: [], blindness: undefined })
    writeFileSync(join(folder, 'c.js'), 'c')
    expect(look().measurements).toEqual([
      { kind: 'code', path: join(folder, 'c.js'), digest: digestOf('c') },
    ])
  })

  it('tells each content once, and each change', () => {
    const path = join(folder, 'a.js')
    const look = looking({ trees: [code(folder)] })
    const contentsOf = (content: string) => {
      writeFileSync(path, content)
      const { measurements, behaviours } = look()
      return [measurements.length, behaviours.filter(({ kind }) => kind === 'changed').length]
    }
    expect(['one', 'two', 'one', 'two'].map(contentsOf)).toEqual([
      [1, 0],
      [1, 1],
      [0, 1],
      [0, 1],
    ])
  })

  it('may be state, which is there to be changed', () => {
    const path = join(folder, 'prompt.txt')
    writeFileSync(path, 'be kind')
    const look = looking({ trees: [{ path, kind: 'state' }] })
    look()
    writeFileSync(path, 'be quick')
    const { measurements, behaviours } = look()
    expect(measurements).toEqual([{ kind: 'state', path, digest: digestOf('be quick') }])
    expect(behaviours.filter(({ kind }) => kind === 'changed')).toEqual([])
  })

  it('is read again where the agent says that it wrote, or all is asked for', () => {
    const path = join(folder, 'memory.json')
    writeFileSync(path, '{}')
    const look = looking({ trees: [{ path, kind: 'state' }] })
    look()
    expect(look({ changed: [path, join(folder, 'none')] })).toMatchObject({ measurements: [] })
    expect(look({ extent: 'full' })).toMatchObject({ measurements: [], blindness: undefined })
  })

  it('has one digest as a whole, which sha256sum makes too', () => {
    mkdirSync(join(folder, 'b'))
    writeFileSync(join(folder, 'b', 'z.js'), 'z')
    writeFileSync(join(folder, 'b.js'), 'b')
    writeFileSync(join(folder, 'ä.js'), 'ä')
    const listed = execFileSync(
      'bash',
      ['-c', 'find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum'],
      { cwd: folder, encoding: 'utf8' },
    )
    const look = looking({ trees: [{ ...code(folder), as: 'whole' }] })
    expect(look().measurements).toEqual([
      { kind: 'code', path: folder, digest: `sha256:${listed.slice(0, 64)}` },
    ])
  })

  it('leaves out what it excepts', () => {
    mkdirSync(join(folder, 'cache'))
    writeFileSync(join(folder, 'cache', 'any'), 'any')
    const look = looking({ trees: [{ ...code(folder), except: [join(folder, 'cache')] }] })
    expect(look().measurements).toEqual([])
  })

  it('measures a link by where it leads, and does not follow it', () => {
    symlinkSync('/etc/passwd', join(folder, 'link'))
    symlinkSync(folder, join(folder, 'loop'))
    const { measurements, blindness } = looking({ trees: [code(folder)] })()
    expect(blindness).toBeUndefined()
    expect(measurements).toContainEqual({
      kind: 'code',
      path: join(folder, 'link'),
      digest: digestOf('symlink\0/etc/passwd'),
    })
    expect(measurements).toHaveLength(2)
  })
})

describe('what cannot be measured', () => {
  it.each([
    ['a pipe', () => execFileSync('mkfifo', [join(folder, 'pipe')]), 'no plain file'],
    [
      'a name that no event can say',
      () => writeFileSync(Buffer.from(`${folder}/\xff`, 'latin1'), ''),
      'a name that is not UTF-8',
    ],
    [
      'a folder below too many others',
      () => mkdirSync(join(folder, 'd/'.repeat(70)), { recursive: true }),
      'too deep',
    ],
    [
      'nothing where something should be',
      () => rmSync(join(folder), { recursive: true }),
      'ENOENT',
    ],
  ])('is said: %s', (_, make, reason) => {
    make()
    expect(looking({ trees: [code(folder)] })().blindness).toMatch(new RegExp(reason))
    mkdirSync(folder, { recursive: true })
  })

  it('is said: more files than a look may take', () => {
    for (let index = 0; index < 20; index++) writeFileSync(join(folder, `${index}`), '')
    const look = looking({ trees: [code(folder)] }, { milliseconds: 20_000, files: 10 })
    expect(look().blindness).toContain('too many files')
  })

  it('is said: a file that no end is seen of, after some looks', () => {
    const path = join(folder, 'sparse')
    const file = openSync(path, 'w')
    ftruncateSync(file, 2 ** 42)
    closeSync(file)
    const look = looking({ trees: [code(path)] }, { milliseconds: 40, files: 1000 }, counting())
    const first = look()
    expect(first).toMatchObject({ isPending: true, measurements: [] })
    const said = Array.from({ length: 7 }, () => look().blindness ?? '')
    expect(said.at(-1)).toContain('not read to its end')
  })

  it('is no large file that some looks read to its end', () => {
    const path = join(folder, 'large')
    const content = Buffer.alloc(64 * 2 ** 20, 'vouchsafe')
    writeFileSync(path, content)
    const look = looking({ trees: [code(path)] }, { milliseconds: 100, files: 1000 }, counting())
    let seen = look()
    let looks = 1
    for (; seen.isPending && looks < 200; looks++) seen = look()
    expect(looks).toBeGreaterThan(1)
    expect(seen.measurements).toEqual([
      {
        kind: 'code',
        path,
        digest: `sha256:${createHash('sha256').update(content).digest('hex')}`,
      },
    ])
  })

  it('is forgiven a machine that is busy, and not one that is busy for ever', () => {
    writeFileSync(join(folder, 'a.js'), 'a')
    const look = looking({ trees: [code(folder)] }, { milliseconds: -1, files: 1000 })
    expect([look(), look(), look()].map(({ blindness }) => blindness)).toEqual([
      undefined,
      undefined,
      expect.stringContaining('no time was left'),
    ])
    expect(look({ limits: { milliseconds: 20_000, files: 1000 } })).toMatchObject({
      blindness: undefined,
      measurements: [{ path: join(folder, 'a.js') }],
    })
  })

  it('says it all in one event that is not too long', () => {
    const long = `${'x'.repeat(200)}`
    for (let index = 0; index < 5; index++)
      execFileSync('mkfifo', [join(folder, `${long}${index}`)])
    const { blindness = '' } = looking({ trees: [code(folder)] })()
    expect(blindness).toContain('(and 4 more)')
    expect(blindness.length).toBeLessThanOrEqual(256)
  })
})

describe('an agent', () => {
  it.each(['app', '/app/', '/app/../etc', '/app//main.js'])('has no tree at %s', (path) => {
    expect(() => looking({ trees: [code(path)] })).toThrow(TypeError)
  })

  it('that has ended is not there, though nobody has asked how it ended', async () => {
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: 'pipe' })
    const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)))
    try {
      await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/stat`, 'latin1')).toContain(') Z '))
      expect(looking({ pid })().blindness).toContain('not there any more')
    } finally {
      parent.kill('SIGKILL')
    }
  })
})

describe('a model', () => {
  it('has the digest that OpenSSF Model Signing gives it, and keeps it until a file changes', () => {
    mkdirSync(join(folder, 'weights/.git'), { recursive: true })
    writeFileSync(join(folder, 'weights/.git/HEAD'), 'not part of it')
    writeFileSync(join(folder, 'weights/a.bin'), 'a')
    writeFileSync(join(folder, 'weights/B.bin'), 'b')
    const look = looking({ models: [{ name: 'llama', path: join(folder, 'weights') }] })
    const rootWith = (b: string) =>
      modelOf('llama', [
        { path: 'a.bin', digest: digestOf('a') as `sha256:${string}` },
        { path: 'B.bin', digest: digestOf(b) as `sha256:${string}` },
      ]).root
    expect(look().measurements).toEqual([{ kind: 'model', path: 'llama', digest: rootWith('b') }])
    expect(look().measurements).toEqual([])
    writeFileSync(join(folder, 'weights/B.bin'), 'c')
    const { measurements, behaviours } = look()
    expect(measurements).toEqual([{ kind: 'model', path: 'llama', digest: rootWith('c') }])
    expect(behaviours).toContainEqual({
      kind: 'changed',
      path: 'llama',
      from: rootWith('b'),
      to: rootWith('c'),
    })
  })

  it('is said to be missing', () => {
    const look = looking({ models: [{ name: 'llama', path: join(folder, 'none') }] })
    expect(look().blindness).toContain('model llama')
  })
})

describe('what the kernel saw opened', () => {
  const openedFile = (path: string, changes: Partial<OpenedFile> = {}): OpenedFile => {
    const { dev, ino, ctimeNs } = statSync(path, { bigint: true })
    return {
      pid: agentProcess.pid ?? 0,
      path,
      inode: `${dev}:${ino}`,
      changedAt: `${ctimeNs}`,
      isTruncated: false,
      isAnonymous: false,
      use: 'open',
      ...changes,
    }
  }

  it('is measured by inode, where it lies in a watched tree; and nothing else of the tree is', () => {
    writeFileSync(join(folder, 'loaded.js'), 'loaded')
    writeFileSync(join(folder, 'unused.js'), 'unused')
    const look = looking({ trees: [code(folder)] })
    const opened = [openedFile(join(folder, 'loaded.js')), openedFile('/etc/passwd')]
    expect(look({ source: 'kernel', opened })).toMatchObject({
      measurements: [{ kind: 'code', path: join(folder, 'loaded.js'), digest: digestOf('loaded') }],
      blindness: undefined,
    })
  })

  it('is looked at again with every look', () => {
    const path = join(folder, 'loaded.js')
    writeFileSync(path, 'loaded')
    const look = looking({ trees: [code(folder)] })
    look({ source: 'kernel', opened: [openedFile(path)] })
    writeFileSync(path, 'altered')
    expect(look({ source: 'kernel' }).measurements).toMatchObject([{ digest: digestOf('altered') }])
    rmSync(path)
    expect(look({ source: 'kernel' })).toMatchObject({ measurements: [], blindness: undefined })
  })

  it.each([
    ['was replaced by another file', { inode: '1:1' }, 'not there any more'],
    ['was written to since', { changedAt: '1' }, 'changed since it was opened'],
    ['has a path that is too long', { isTruncated: true }, 'longer than the sensor'],
    ['has no name, and nobody who has it open', { isAnonymous: true, pid: 4_194_304 }, 'no name'],
  ] as const)('cannot be measured when it %s, and that is said', (_, changes, reason) => {
    const path = join(folder, 'loaded.js')
    writeFileSync(path, 'loaded')
    const opened = [openedFile(path, changes)]
    const { blindness } = looking({ trees: [code(folder)] })({ source: 'kernel', opened })
    expect(blindness).toContain(reason)
  })

  it('may be state that was written since, which is measured as it is now', () => {
    const path = join(folder, 'memory.json')
    writeFileSync(path, '{}')
    const look = looking({ trees: [{ path: folder, kind: 'state' }] })
    const opened = [openedFile(path, { changedAt: '1' })]
    expect(look({ source: 'kernel', opened })).toMatchObject({
      measurements: [{ kind: 'state', path, digest: digestOf('{}') }],
      blindness: undefined,
    })
  })

  it('is a program or library wherever it lies', () => {
    const look = looker(
      { pid: agentProcess.pid ?? 0, trees: [], models: [], memoryText: 'unwatched' },
      () => performance.now(),
    )
    const path = realpathSync('/bin/sleep')
    const opened = [openedFile(path, { use: 'exec' })]
    const limits = { milliseconds: 20_000, files: 1000 }
    const request = {
      nonce: '',
      extent: 'sample',
      limits,
      changed: [],
      source: 'kernel',
      opened,
    } as const
    expect(look(request).measurements).toContainEqual({
      kind: 'executable',
      path,
      digest: digestOfFile(path),
    })
    expect(readFileSync(path).length).toBeGreaterThan(0)
  })
})
