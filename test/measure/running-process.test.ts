import { spawn } from 'node:child_process'
import {
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Look, looker, type WatchedAgent } from '../../enclave/measure/look.ts'
import { describeWith } from '../policy/external-tool.ts'
import { digestOfFile, notPrivileged, type Victim, type Workshop, workshop } from './victim.ts'

const limits = { milliseconds: 20_000, files: 10_000 }

/** Looks at this process, again and again. */
function lookingAt(pid: number, agent: Partial<WatchedAgent> = {}) {
  const look = looker({ pid, trees: [], models: [], ...agent }, () => performance.now())
  return (nonce = 'nonce', extent: 'sample' | 'full' = 'sample'): Look =>
    look({ nonce, extent, limits, opened: [], source: 'files', changed: [] })
}

describeWith(['gcc', '--version'], 'a real process', () => {
  const title = notPrivileged
    ? `seen from outside (skipped: ${notPrivileged})`
    : 'seen from outside'
  describe.skipIf(notPrivileged)(title, () => {
    let shop: Workshop
    let victim: Victim | undefined

    beforeAll(() => {
      shop = workshop()
    })
    afterEach(async () => await victim?.end())
    afterAll(() => shop.clear())

    const started = async (environment?: Readonly<Record<string, string>>): Promise<Victim> => {
      victim = await shop.start(environment)
      return victim
    }

    it('runs a program and libraries that are measured by what is mapped', async () => {
      const { pid } = await started()
      const { measurements, blindness } = lookingAt(pid)()
      expect(blindness).toBeUndefined()
      expect(measurements).toContainEqual({
        kind: 'executable',
        path: shop.program,
        digest: digestOfFile(shop.program),
      })
      const libraries = measurements.filter(({ kind }) => kind === 'library')
      expect(libraries.some(({ path }) => /\/libc\.so\.6$/.test(path))).toBe(true)
      for (const { path, digest } of libraries) expect(digest).toBe(digestOfFile(path))
    })

    it('shows a library that LD_PRELOAD brought in', async () => {
      const library = shop.library('preloaded')
      const { pid } = await started({ LD_PRELOAD: library })
      expect(lookingAt(pid)().measurements).toContainEqual({
        kind: 'library',
        path: library,
        digest: digestOfFile(library),
      })
    })

    it('shows a library that was loaded later, once', async () => {
      const library = shop.library('later')
      const { pid, tell } = await started()
      const look = lookingAt(pid)
      look()
      await tell(`load ${library}`)
      const measured = { kind: 'library', path: library, digest: digestOfFile(library) }
      expect(look().measurements).toEqual([measured])
      expect(look().measurements).toEqual([])
    })

    it('shows text that was written over, though its file is what it was', async () => {
      const { pid, tell } = await started()
      const look = lookingAt(pid)
      expect(look().behaviours).toEqual([])
      const before = digestOfFile(shop.program)
      await tell('patch')
      const seen = look('another')
      expect(seen.behaviours).toEqual([
        {
          kind: 'text-mismatch',
          pid,
          comm: 'victim',
          path: shop.program,
          offset: expect.any(Number),
        },
      ])
      expect(seen.measurements).toEqual([])
      expect(digestOfFile(shop.program)).toBe(before)
    })

    it('has text that equals its files, all of it', async () => {
      const { pid } = await started()
      const { behaviours, blindness } = lookingAt(pid)('nonce', 'full')
      expect({ behaviours, blindness }).toEqual({ behaviours: [], blindness: undefined })
    })

    it('shows a mapped library under another name once its file was deleted', async () => {
      const library = shop.library('deleted')
      const digest = digestOfFile(library)
      const { pid, tell } = await started()
      await tell(`load ${library}`)
      const look = lookingAt(pid)
      look()
      rmSync(library)
      expect(look().measurements).toEqual([
        { kind: 'library', path: `${library} (deleted)`, digest },
      ])
    })

    it('shows what it mapped, and not what lies at that path by now', async () => {
      const library = shop.library('swapped')
      const digest = digestOfFile(library)
      const { pid, tell } = await started()
      await tell(`load ${library}`)
      renameSync(shop.library('innocent'), library)
      const measured = lookingAt(pid)().measurements.filter(({ path }) => path.startsWith(library))
      expect(measured).toEqual([{ kind: 'library', path: `${library} (deleted)`, digest }])
    })

    it('shows a library without a name', async () => {
      const library = shop.library('nameless')
      const { pid, tell } = await started()
      await tell(`nameless ${library}`)
      expect(lookingAt(pid)().measurements).toContainEqual({
        kind: 'library',
        path: '/memfd:nameless (deleted)',
        digest: digestOfFile(library),
      })
    })

    it('shows its program under the name that it has by now', async () => {
      const { pid } = await started()
      const copy = `${shop.program}.copy`
      writeFileSync(copy, 'another program')
      renameSync(shop.program, `${shop.program}.kept`)
      renameSync(copy, shop.program)
      try {
        const { behaviours, measurements } = lookingAt(pid)()
        expect(behaviours).toEqual([])
        // Its inode has another name now, and the kernel says which.
        expect(measurements[0]?.path).toBe(`${shop.program}.kept`)
      } finally {
        renameSync(`${shop.program}.kept`, shop.program)
      }
    })

    it('shows how much executable memory belongs to no file', async () => {
      const { pid, tell } = await started()
      const look = lookingAt(pid)
      look()
      await tell('reserve 3')
      expect(look().behaviours).toEqual([
        { kind: 'anonymous-text', pid, comm: 'victim', bytes: 3 * 2 ** 20 },
      ])
    })

    it('shows that its environment was overwritten', async () => {
      const { pid, tell } = await started({ FIRST: 'value', SECOND: 'value' })
      const look = lookingAt(pid, { freeVariables: [] })
      const [before] = look().measurements.filter(({ kind }) => kind === 'environment')
      expect(before).toBeDefined()
      await tell('environment')
      const { measurements, behaviours } = look()
      expect(measurements).toMatchObject([{ kind: 'environment', path: 'environment' }])
      expect(behaviours).toMatchObject([{ kind: 'changed', from: before?.digest }])
    })

    it('has one environment digest whatever its free variables are', async () => {
      const digestWith = async (environment: Readonly<Record<string, string>>) => {
        const { pid, end } = await shop.start(environment)
        const { measurements } = lookingAt(pid, { freeVariables: ['HOSTNAME'] })()
        await end()
        return measurements.find(({ kind }) => kind === 'environment')?.digest
      }
      const usual = await digestWith({ A: '1', HOSTNAME: 'one' })
      expect(await digestWith({ HOSTNAME: 'two', A: '1' })).toBe(usual)
      expect(await digestWith({ A: '1' })).toBe(usual)
      expect(await digestWith({ A: '2', HOSTNAME: 'one' })).not.toBe(usual)
      expect(await digestWith({ A: '1', LD_AUDIT: '' })).not.toBe(usual)
    })

    it.each(['LD_PRELOAD', 'NODE_OPTIONS', 'PATH', 'PYTHONPATH'])(
      'may not have %s free',
      (name) => {
        expect(() => lookingAt(1, { freeVariables: [name] })).toThrow(name)
      },
    )

    it('shows its children’s programs, also after it has ended', async () => {
      const { pid, tell } = await started()
      const look = lookingAt(pid)
      await tell('fork')
      const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'))
      const path = realpathSync('/bin/sleep')
      try {
        await vi.waitFor(() => expect(readlinkSync(`/proc/${child}/exe`)).toBe(path))
        expect(look().measurements).toContainEqual({
          kind: 'executable',
          path,
          digest: digestOfFile(path),
        })
        await victim?.end()
        const after = look()
        expect(after.usage.processes).toBe(1)
        expect(after.blindness).toContain(`the agent, process ${pid}, is not there any more`)
      } finally {
        process.kill(child, 'SIGKILL')
      }
    })

    it('shows to whom it is connected', async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      const { pid, tell } = await started()
      const look = lookingAt(pid)
      look()
      await tell(`reach ${port}`)
      expect(look().behaviours).toEqual([
        {
          kind: 'connection',
          pid,
          comm: 'victim',
          address: '127.0.0.1',
          port,
          host: '',
          verdict: 'allowed',
        },
      ])
      server.close()
    })

    it('has files that are found in its own root, and not in ours', async () => {
      const root = join(shop.folder, 'root')
      mkdirSync(join(root, 'etc'), { recursive: true })
      writeFileSync(join(root, 'etc/hostname'), 'of the agent')
      const program = shop.standing(join(root, 'agent'))
      const agent = spawn('chroot', [root, program.slice(root.length)], { stdio: 'ignore' })
      const pid = agent.pid ?? 0
      try {
        await vi.waitFor(() => expect(readlinkSync(`/proc/${pid}/exe`)).toBe(program))
        const seen = lookingAt(pid, { trees: [{ path: '/etc/hostname', kind: 'configuration' }] })()
        expect(seen.measurements).toContainEqual({
          kind: 'configuration',
          path: '/etc/hostname',
          digest: digestOfFile(join(root, 'etc/hostname')),
        })
      } finally {
        agent.kill('SIGKILL')
      }
    })

    it('shows a file that was swapped, though size and mtime are what they were', async () => {
      const file = join(shop.folder, 'code.js')
      writeFileSync(file, 'let a = 1')
      const past = new Date('2026-01-01T00:00:00Z')
      utimesSync(file, past, past)
      const from = digestOfFile(file)
      const { pid } = await started()
      const look = lookingAt(pid, { trees: [{ path: file, kind: 'code' }] })
      look()
      writeFileSync(file, 'let a = 2')
      utimesSync(file, past, past)
      expect(statSync(file).mtimeMs).toBe(past.getTime())
      const to = digestOfFile(file)
      const { measurements, behaviours } = look()
      expect(measurements).toEqual([{ kind: 'code', path: file, digest: to }])
      expect(behaviours).toEqual([{ kind: 'changed', path: file, from, to }])
      expect(look().behaviours).toEqual([])
    })
  })
})
