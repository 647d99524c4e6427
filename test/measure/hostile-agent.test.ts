/** What an agent does that wants to run what nobody measured: each of these was unseen once. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openBootLog } from '../../enclave/measure/boot-log.ts'
import { membersOf } from '../../enclave/measure/control-groups.ts'
import { looker, type WatchedAgent } from '../../enclave/measure/look.ts'
import { lookThread } from '../../enclave/measure/look-thread.ts'
import { mappingsIn } from '../../enclave/measure/proc-maps.ts'
import { RunningInterval } from '../../enclave/measure/running-interval.ts'
import { wholeDigest } from '../../enclave/measure/tree.ts'
import { watchAgent } from '../../enclave/measure/watching.ts'
import { simulatedRegister } from '../../enclave/simulator/runtime-register.ts'
import { type Behaviour, decodeBehaviour } from '../../src/rats/runtime-event.ts'
import { emptyCheckpoint, extended } from '../../src/rats/transcript.ts'
import { describeWith } from '../policy/external-tool.ts'
import { notPrivileged } from './victim.ts'

let folder: string
const started: ChildProcess[] = []

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'vouchsafe-hostile-')))
})
afterEach(() => {
  for (const child of started.splice(0)) process.kill(-(child.pid ?? 0), 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function looking(pid: number, agent: Partial<WatchedAgent> = {}) {
  const look = looker({ pid, trees: [], models: [], memoryText: 'unwatched', ...agent }, () =>
    performance.now(),
  )
  const limits = { milliseconds: 20_000, files: 10_000 }
  let looks = 0
  return () =>
    look({
      ...{ nonce: `${looks++}`, extent: 'sample', source: 'files' },
      ...{ limits, opened: [], changed: [] },
    })
}

interface Hostile {
  readonly pid: number
  /** Resolves to what it said next. */
  readonly said: () => Promise<string>
  readonly goOn: () => void
}

async function python(lines: readonly string[], before: readonly string[] = []): Promise<Hostile> {
  const [program = '', ...args] = [...before, 'python3', '-u', '-c', lines.join('\n')]
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
  started.push(child)
  const told = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    pid: child.pid ?? 0,
    said: async () => (await told.next()).value ?? '',
    goOn: () => child.stdin.write('\n'),
  }
}

const sha256 = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`

describe('an agent that hides what it uses', () => {
  const usage = { cpuSeconds: 0, memoryBytes: 0, processes: 1 }

  it('makes no interval that nobody can read by spending more than there is', () => {
    const interval = new RunningInterval(0)
    for (let times = 0; times < 3; times++)
      interval.spent({ tokens: Number.MAX_SAFE_INTEGER, microUsd: 1 })
    interval.kernel({
      ...{ systemCalls: { connect: 5 }, opens: new Map() },
      ...{ bytesSent: Number.MAX_SAFE_INTEGER, bytesReceived: 0 },
    })
    const event = decodeBehaviour(JSON.stringify(interval.end(1, usage)))
    expect(event).toMatchObject({ modelTokens: Number.MAX_SAFE_INTEGER, modelMicroUsd: 3 })
  })

  it('makes none that is too long by calling everything, with opens everywhere', () => {
    const interval = new RunningInterval(0)
    const names = Array.from({ length: 512 }, (_, index) => `system_call_${index}`)
    interval.kernel({
      systemCalls: Object.fromEntries(names.map((name) => [name, 999_999])),
      opens: new Map(names.map((name) => [`read /${name}/${'x'.repeat(40)}`, 999_999])),
      ...{ bytesSent: 0, bytesReceived: 0 },
    })
    expect(decodeBehaviour(JSON.stringify(interval.end(1, usage)))?.kind).toBe('interval')
  })
})

describe('names', () => {
  it('cannot make one file stand for two in the digest of a tree', () => {
    const digests = [sha256('a'), sha256('deny')] as const
    const forged = `a\n${digests[1].slice('sha256:'.length)}  deny.json`
    const files = [forged, 'back\\slash', 'plain']
    for (const name of files) writeFileSync(join(folder, name), 'a')
    const sums = execFileSync('sha256sum', files.toSorted(), { cwd: folder })
    expect(
      wholeDigest(files.map((path) => ({ path, digest: sha256('a') as `sha256:${string}` }))),
    ).toBe(`sha256:${createHash('sha256').update(sums).digest('hex')}`)
  })

  it('do not make memory of a file that a file system numbers 0', () => {
    const line = '7f0000000000-7f0000001000 r-xp 00000000 00:2f 0        /mnt/own.so'
    expect(mappingsIn(line)).toMatchObject([{ file: '00:2f:0', path: '/mnt/own.so' }])
  })
})

describe('groups', () => {
  it('are not so many that somebody in one of them is passed over', () => {
    for (let group = 0; group < 300; group++) {
      mkdirSync(join(folder, `${group}`))
      writeFileSync(join(folder, `${group}`, 'cgroup.procs'), `${1000 + group}\n`)
    }
    writeFileSync(join(folder, 'cgroup.procs'), '')
    const faults: string[] = []
    membersOf(
      { unified: folder, controllers: new Map() },
      { fault: (reason) => faults.push(reason) },
    )
    expect(faults).toEqual(['more control groups than can be looked at'])
  })
})

describeWith(['python3', '--version'], 'a hostile process', () => {
  it('changes a file through a mapping, which no stat shows, and is found out', async () => {
    const path = join(folder, 'tool.py')
    writeFileSync(path, 'good')
    const { pid, said, goOn } = await python([
      'import mmap,sys',
      `f=open(${JSON.stringify(path)},'r+b'); m=mmap.mmap(f.fileno(),4)`,
      "m[0:4]=b'good'; print('mapped'); sys.stdin.readline()",
      "m[0:4]=b'evil'; print('changed'); sys.stdin.readline()",
    ])
    await said()
    const look = looking(pid, { trees: [{ path: folder, kind: 'code' }] })
    for (let looks = 0; looks < 3; looks++) look()
    goOn()
    await said()
    // One look in sixteen reads it again: that it takes so many has a chance of one in a million million.
    const changes: Behaviour[] = []
    for (let looks = 0; looks < 430 && changes.length === 0; looks++)
      changes.push(...look().behaviours)
    expect(changes).toEqual([{ kind: 'changed', path, from: sha256('good'), to: sha256('evil') }])
  })

  const hidden = {
    'of a late thread': [
      'import subprocess,threading',
      'e=threading.Event(); threading.stack_size(65536)',
      'for i in range(1100): threading.Thread(target=e.wait,daemon=True).start()',
      'def late(): print(subprocess.Popen(["sleep","600"]).pid); e.wait()',
      't=threading.Thread(target=late); t.start(); t.join()',
    ],
    'behind many that ended': [
      'import os,subprocess,sys',
      'for i in range(1100):',
      '  if os.fork()==0: os._exit(0)',
      'print(os.spawnlp(os.P_NOWAIT,"sleep","sleep","600")); sys.stdin.readline()',
    ],
    'whose first thread has ended': [
      'import ctypes,os,subprocess,sys,threading,time',
      'r,w=os.pipe()',
      'if os.fork()==0:',
      '  def rest():',
      '    time.sleep(0.2); os.write(w,b"x")',
      '    print(subprocess.Popen(["sleep","600"]).pid); time.sleep(600)',
      '  threading.Thread(target=rest).start()',
      '  ctypes.CDLL(None).pthread_exit(None)',
      'os.read(r,1); sys.stdin.readline()',
    ],
  }
  it.each(Object.entries(hidden))('has no child %s that is not seen', async (_, lines) => {
    const { pid, said } = await python(lines)
    const child = Number(await said())
    // It may not have become the program yet.
    await expect.poll(() => readFileSync(`/proc/${child}/comm`, 'utf8')).toBe('sleep\n')
    const { measurements, blindness } = looking(pid)()
    expect(measurements.some(({ path }) => path.endsWith('/sleep')) || blindness).toBeTruthy()
    expect(blindness).toBeUndefined()
  })

  it('puts code of its own into what the kernel has mapped', async () => {
    const { pid, said, goOn } = await python([
      'import ctypes,sys',
      "line=next(each for each in open('/proc/self/maps') if '[vdso]' in each)",
      "start,end=(int(each,16) for each in line.split()[0].split('-'))",
      'protect=ctypes.CDLL(None).mprotect',
      'protect.argtypes=[ctypes.c_void_p,ctypes.c_size_t,ctypes.c_int]',
      "print('ready'); sys.stdin.readline()",
      'protect(start,end-start,7); ctypes.memset(end-64,0xc3,8); protect(start,end-start,5)',
      "print('written'); sys.stdin.readline()",
    ])
    await said()
    const look = looking(pid, { memoryText: 'compared' })
    expect(look().behaviours.filter(({ kind }) => kind === 'text-mismatch')).toEqual([])
    goOn()
    await said()
    expect(look().behaviours).toContainEqual(
      expect.objectContaining({ kind: 'text-mismatch', path: '[vdso]' }),
    )
  })

  const title = notPrivileged ? `as root (skipped: ${notPrivileged})` : 'as root'
  describe.skipIf(notPrivileged)(title, () => {
    it('maps a file of the same name and number from another file system', async () => {
      const { pid, said } = await python(
        [
          'import mmap,os,subprocess,sys',
          'def put(what):',
          `  p=${JSON.stringify(folder)}`,
          "  subprocess.check_call(['mount','-t','tmpfs','none',p])",
          "  open(p+'/lib.so','wb').write(what*4096); f=os.open(p+'/lib.so',os.O_RDONLY)",
          '  return mmap.mmap(f,4096,mmap.MAP_PRIVATE,mmap.PROT_READ|mmap.PROT_EXEC)',
          "good=put(b'G'); evil=put(b'E'); print('mapped'); sys.stdin.readline()",
        ],
        ['unshare', '-m'],
      )
      expect(await said()).toBe('mapped')
      const { measurements } = looking(pid)()
      const own = measurements.filter(({ path }) => path.startsWith(folder))
      expect(new Set(own.map(({ digest }) => digest))).toEqual(
        new Set([sha256('G'.repeat(4096)), sha256('E'.repeat(4096))]),
      )
    })

    it('has another root, in which a link leads the collector into its own', async () => {
      const [jail, outside] = [join(folder, 'jail'), join(folder, 'outside')]
      for (const place of [outside, join(jail, outside)])
        mkdirSync(join(place, 'code'), { recursive: true })
      writeFileSync(join(outside, 'code/tool.py'), 'good')
      writeFileSync(join(jail, outside, 'code/tool.py'), 'evil')
      symlinkSync(outside, join(jail, 'app'))
      const { pid, said } = await python([
        'import os,sys',
        `os.chroot(${JSON.stringify(jail)}); os.chdir('/')`,
        "print(open('/app/code/tool.py').read()); sys.stdin.readline()",
      ])
      expect(await said()).toBe('evil')
      const { measurements, blindness } = looking(pid, {
        trees: [{ path: '/app/code', kind: 'code' }],
      })()
      expect(measurements.filter(({ kind }) => kind === 'code')).toEqual([])
      expect(blindness).toBe('code /app/code: /app is a link')
    })
  })
})

describe('the collector', () => {
  it('keeps no log where somebody else may write', async () => {
    chmodSync(folder, 0o777)
    await expect(openBootLog({ folder, boot: 'boot' })).rejects.toThrow('with mode 777')
    chmodSync(folder, 0o700)
    await (await openBootLog({ folder, boot: 'boot' })).close()
  })

  it('looks again after many looks that were only late', async () => {
    const thread = lookThread({ pid: process.pid, trees: [], models: [] }, 1)
    const request = {
      nonce: '',
      extent: 'sample',
      opened: [],
      source: 'files',
      changed: [],
    } as const
    for (let looks = 0; looks < 6; looks++) {
      await thread.look({ ...request, limits: { milliseconds: 0, files: 0 } })
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    const limits = { milliseconds: 20_000, files: 100 }
    expect(await thread.look({ ...request, limits })).toMatchObject({
      measurements: expect.anything(),
    })
    await thread.close()
  })

  it('extends no register between a message and its quote, whatever is looked at meanwhile', async () => {
    const register = simulatedRegister()
    const { pid } = await python(['import sys; sys.stdin.readline()'])
    mkdirSync(join(folder, 'app'))
    const collector = await watchAgent({
      agent: { pid, trees: [{ path: join(folder, 'app'), kind: 'code' }], models: [] },
      folder: join(folder, 'log'),
      register,
    })
    const held = async () => Buffer.from(await register.read()).toString('hex')
    const first = await collector.measure()
    const quoted = await held()
    writeFileSync(join(folder, 'app/late.js'), 'late')
    await collector.look()
    expect(await held()).toBe(quoted)
    collector.confirm({ measurement: first.measurement.length, behaviour: 0 })
    const { measurement } = await collector.measure()
    await collector.close()
    expect(measurement).toContainEqual(expect.stringContaining('late.js'))
    const empty = emptyCheckpoint({ session: '', boot: '' })
    const told = { measurement: [...first.measurement, ...measurement], behaviour: [] }
    expect(await held()).toBe(extended(empty, told).register)
  })

  it('names the host of a connection that it found by looking', async () => {
    const server = createServer((socket) => socket.resume())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    const { pid, said } = await python([
      'import socket,sys',
      `s=socket.create_connection(('127.0.0.1',${port})); print('connected'); sys.stdin.readline()`,
    ])
    await said()
    const collector = await watchAgent({
      agent: { pid, trees: [], models: [], memoryText: 'unwatched' },
      folder: join(folder, 'log'),
      hostOf: (found) => (found === '127.0.0.1' ? 'models.example' : ''),
    })
    const { behaviour } = await collector.measure()
    await collector.close()
    server.close()
    expect(behaviour.map(decodeBehaviour)).toContainEqual(
      expect.objectContaining({ kind: 'connection', host: 'models.example', port }),
    )
  })
})
