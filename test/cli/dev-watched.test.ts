/** The third act of `vouchsafe dev` for real: processes, collector, guard, service and relying party, as `npm start` has them. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { gitIn, removeScratch, scratchFolder } from './policy-tools.ts'
import { runProgram } from './program.ts'

afterAll(removeScratch)

const SLOW = 300_000
const changed = (cwd: string) => join(cwd, '.vouchsafe/dev/watched/code/tools.mjs')

interface Shown {
  readonly verdict: string
  readonly timeline: Readonly<Record<string, number>>
  readonly [name: string]: unknown
}

async function shown(cwd: string) {
  const { code, out, err } = await runProgram(['dev', '--once', '--json'], { cwd })
  expect(err).not.toContain('Using')
  const { watched, policy } = JSON.parse(out) as { watched: Shown; policy: { commit: string } }
  return { code, watched, commit: policy.commit }
}

describe.skipIf(process.platform !== 'linux')('vouchsafe dev', () => {
  test(
    'stops the agent that is tampered with while it runs, and says when',
    async () => {
      const cwd = scratchFolder()
      const { code, watched } = await shown(cwd)
      expect(watched).toMatchObject({ verdict: 'stopped', asExpected: true })
      expect(code).toBe(0)
      expect(watched.failing).toContain('runtime.code.approved')
      expect(watched.failing).toContain('runtime.files.unchanged')
      expect(watched.sentence).toContain(changed(cwd))
      expect(watched.refusal).toMatch(/^token-revoked: /)
      const { noticed, stopped, quarantined, tokenRefused } = watched.timeline
      const inOrder = [0, noticed, stopped, quarantined, tokenRefused]
      expect(inOrder.toSorted((a = 0, b = 0) => a - b)).toEqual(inOrder)
      // What is there is approved again, for whoever runs it by hand; and nothing of it runs on.
      expect(readFileSync(changed(cwd), 'utf8')).toContain('4711')
      expect(runningIn(cwd)).toEqual([])
    },
    SLOW,
  )

  test(
    'approves what the agent loads by now, and leaves what others committed alone',
    async () => {
      const cwd = scratchFolder()
      const first = await shown(cwd)
      expect((await shown(cwd)).commit).toBe(first.commit)
      // As if another Node had been there at the last start.
      const record = join(cwd, '.vouchsafe/dev/policy.json')
      const updated = () =>
        writeFileSync(
          record,
          readFileSync(record, 'utf8').replace(/"runtime":"\w+"/, '"runtime":"of another Node"'),
        )
      updated()
      const second = await shown(cwd)
      expect([second.code, second.watched.verdict]).toEqual([0, 'stopped'])
      const repository = join(cwd, '.vouchsafe/dev/policy')
      const git = gitIn(repository)
      expect(git('rev-parse', 'HEAD^').trim()).toBe(first.commit)
      expect(git('status', '--porcelain')).toBe('')
      const manifest = readFileSync(join(repository, 'agents/prod/invoice-bot.yaml'), 'utf8')
      expect(manifest).toContain('generation: 2')

      updated()
      writeFileSync(join(repository, 'notes.md'), 'mine\n')
      git('add', 'notes.md')
      git('commit', '--quiet', '--message', 'notes')
      const third = await shown(cwd)
      expect([third.code, third.watched.verdict]).toEqual([0, 'left out'])
      expect(third.watched.detail).toContain('commits of your own')
      expect(third.commit).toBe(git('rev-parse', 'HEAD').trim())
    },
    SLOW,
  )
})

const notRoot = process.getuid?.() !== 0 && 'this test becomes another user, which takes root'

describe.skipIf(process.platform !== 'linux' || notRoot)(
  notRoot ? `as another user (skipped: ${notRoot})` : 'as another user',
  () => {
    test(
      'without root it is shown too, and what is not watched is said',
      () => {
        const cwd = scratchFolder()
        execFileSync('chown', ['65534', cwd])
        const main = join(import.meta.dirname, '../../src/main.ts')
        const identity = ['--reuid=65534', '--regid=65534', '--clear-groups']
        const { status, stdout: out } = spawnSync(
          'setpriv',
          [...identity, process.execPath, main, 'dev', '--once'],
          { cwd, env: { PATH: process.env.PATH, HOME: cwd, NO_COLOR: '1' }, encoding: 'utf8' },
        )
        expect([status, out]).toEqual([0, expect.stringContaining('not watched here: ')])
        expect(out).toMatch(/\+[\d.]+ ms {2}frozen \(SIGSTOP/)
        expect(out).toMatch(/\+[\d.]+ ms {2}quarantined by the verifier/)
        expect(out).toMatch(/\+[\d.]+ ms {2}its token refused by the relying party: token-revoked/)
      },
      SLOW,
    )
  },
)

/** Command lines of processes that run something below the folder. */
function runningIn(folder: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      } catch {
        return ''
      }
    })
    .filter((line) => line.includes(folder))
}
