/** Does `vouchsafe dev` go by the acceptance rule? Its README's walk, with real git and real ssh-keygen, while it serves. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { describeWith } from '../policy/external-tool.ts'
import { sshKeygenProbe } from '../policy/ssh-keygen.ts'
import { gitIn, policy, removeScratch, scratchFolder } from './policy-tools.ts'
import { runProgram, startProgram } from './program.ts'

afterAll(removeScratch)

const SLOW = 300_000
const prod = 'agents/prod/invoice-bot.yaml'

/** Resolves once the service says so of its policy; the test's own time is the limit. */
async function condition(url: string, name: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${url}/readyz`)
    const { ready, checks } = (await answer.json()) as {
      ready: boolean
      checks: readonly { name: string; detail: string }[]
    }
    const detail = checks.find((check) => check.name === 'policy.default')?.detail
    // What was accepted stays in force, whatever comes after it.
    expect(ready).toBe(true)
    if (detail === name) return
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

describeWith(sshKeygenProbe, 'vouchsafe dev', () => {
  test(
    'takes a signed and approved change, keeps out an unsigned one, and remembers both',
    async () => {
      const cwd = scratchFolder()
      const program = startProgram(['dev'], { cwd })
      const text = await program.printed('Serving until Ctrl-C')
      const [, url = ''] = /Vouchsafe on (\S+),/.exec(text) ?? []
      const folder = join(cwd, '.vouchsafe/dev/policy')
      const keys = join(cwd, '.vouchsafe/dev/keys')
      const git = gitIn(folder)
      const manifest = () => readFileSync(join(folder, prod), 'utf8')
      expect(text).toMatch(/approved +agents\/prod\/invoice-bot\.yaml:\d+, committed by alice in /)
      expect(git('status', '--porcelain')).toBe('')

      writeFileSync(join(folder, 'notes.md'), 'nobody signed this\n')
      git('add', 'notes.md')
      git('commit', '--quiet', '--no-gpg-sign', '--message', 'unsigned')
      await condition(url, 'UnknownSigner')
      git('reset', '--quiet', '--hard', 'HEAD^')
      await condition(url, 'Synced')

      const other = manifest()
        .replace(/measurement: sha384:..../, 'measurement: sha384:0000')
        .replace('generation: 1', 'generation: 2')
      writeFileSync(join(folder, prod), other)
      git('commit', '--quiet', '--all', '--message', 'another digest')
      await condition(url, 'ApprovalMissing')
      const approve = ['approve', prod, '--key', join(keys, 'bob'), '--repository', folder]
      expect((await policy(approve)).code).toBe(0)
      git('add', 'approvals')
      git('commit', '--quiet', '--message', 'approved by bob')
      await condition(url, 'Synced')
      program.kill('SIGINT')
      expect((await program.ended).code).toBe(0)

      // The agent runs what it ran before, and that is approved no more.
      const again = await runProgram(['dev', '--once', '--json'], { cwd })
      const shown = JSON.parse(again.out)
      expect([again.code, shown.policy.commit]).toEqual([2, git('rev-parse', 'HEAD').trim()])
      expect(shown.agents[0].document).toMatchObject({
        code: 'evidence-rejected',
        failing: ['snp.measurement.expected'],
        policy: {
          file: prod,
          line: 1 + other.split('\n').findIndex((line) => line.includes('measurement: sha384')),
          changedBy: { commit: git('rev-parse', 'HEAD^').trim(), principal: 'alice' },
        },
      })

      // Begun anew where somebody deleted the folder.
      rmSync(join(cwd, '.vouchsafe'), { recursive: true })
      expect((await runProgram(['dev', '--once'], { cwd })).code).toBe(0)
    },
    SLOW,
  )

  test(
    'what another version left is not touched: a folder of its own takes its place',
    async () => {
      const cwd = scratchFolder()
      expect((await runProgram(['dev', '--once'], { cwd })).code).toBe(0)
      const record = join(cwd, '.vouchsafe/dev/policy.json')
      writeFileSync(record, readFileSync(record, 'utf8').replace(/"edition":\d+/, '"edition":0'))
      const { code, err } = await runProgram(['dev', '--once'], { cwd })
      expect([code, err]).toEqual([0, expect.stringContaining('delete the folder to begin anew')])
    },
    SLOW,
  )

  test(
    'of several that start at once, each has the port that its policy names',
    async () => {
      const each = Array.from({ length: 3 }, () =>
        startProgram(['dev', '--json'], { cwd: scratchFolder() }),
      )
      const texts = await Promise.all(each.map((program) => program.printed('"url"')))
      for (const program of each) program.kill('SIGINT')
      for (const text of texts) expect(text).not.toContain('is taken')
      const ends = await Promise.all(each.map(({ ended }) => ended))
      const urls = ends.map(({ out }) => JSON.parse(out).url)
      expect(new Set(urls).size).toBe(each.length)
    },
    SLOW,
  )
})
