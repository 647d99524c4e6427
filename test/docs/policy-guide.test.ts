/**
 * Does docs/policy.md tell the truth? Every command of its console blocks is run, in one shell, in order, with real git, real
 * ssh-keygen and bin/vouchsafe.js, and prints what the guide shows. A line of `…` alone stands for any lines.
 */
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '../policy/external-tool.ts'
import { sshKeygenProbe } from '../policy/ssh-keygen.ts'

const root = join(import.meta.dirname, '../..')
const guide = readFileSync(join(root, 'docs/policy.md'), 'utf8')

interface Step {
  /** Of the guide. */
  readonly line: number
  readonly command: string
  readonly shown: readonly string[]
}

function stepsOf(text: string): readonly Step[] {
  const steps: { line: number; command: string; shown: string[] }[] = []
  let inside = false
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('```')) inside = line === '```console'
    else if (!inside) continue
    else if (line.startsWith('$ '))
      steps.push({ line: index + 1, command: line.slice(2), shown: [] })
    else {
      const last = steps.at(-1)
      if (!last) throw new Error(`line ${index + 1} shows what no command printed`)
      if (/^> ?/.test(line) && last.shown.length === 0)
        last.command += `\n${line.replace(/^> ?/, '')}`
      else last.shown.push(line)
    }
  }
  return steps
}

/** Regular expression of what is shown: `…` is anything within a line, and alone any lines. */
function patternOf(shown: readonly string[]): RegExp {
  const lines = shown.map((line) =>
    line === '…'
      ? '(?:.*\n)*'
      : `${line
          .split('…')
          .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
          .join('.*')}\n`,
  )
  return new RegExp(`^${lines.join('')}$`)
}

const steps = stepsOf(guide)
const MARK = 'END-OF-STEP'
/** A minute on two idle cores. */
const SLOW = 600_000
let folder: string
const printed: { readonly text: string; readonly status: number }[] = []

async function runAll(): Promise<void> {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  writeFileSync(
    join(bin, 'vouchsafe'),
    `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'bin/vouchsafe.js')}' "$@"\n`,
  )
  chmodSync(join(bin, 'vouchsafe'), 0o755)
  const script = [
    // Hands on the status of the step, which the next may ask for with `$?`.
    `mark() { local status=$?; printf '%s %d\\n' ${MARK} $status; return $status; }`,
    ...steps.flatMap(({ command }) => [command, 'mark']),
  ].join('\n')
  const bash = spawn('bash', ['-c', `exec 2>&1\n${script}`], {
    cwd: folder,
    env: {
      PATH: `${bin}:${process.env.PATH}`,
      HOME: folder,
      GIT_CONFIG_NOSYSTEM: '1',
      LC_ALL: 'C',
      // Forty starts of the same program.
      NODE_COMPILE_CACHE: join(folder, 'compile-cache'),
    },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: SLOW,
  })
  let stdout = ''
  bash.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  await new Promise((resolve) => bash.on('close', resolve))
  // Split by a pattern with one group: output, status, output, status ...
  const parts = stdout.split(new RegExp(`${MARK} (\\d+)\n`))
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const text = parts[at] ?? ''
    // Not every file ends with its last line.
    const isWhole = text === '' || text.endsWith('\n')
    printed.push({ text: isWhole ? text : `${text}\n`, status: Number(parts[at + 1]) })
  }
}

test('the guide has steps, and every block is closed', () => {
  expect(steps.length).toBeGreaterThan(60)
  expect((guide.match(/^\s*```/gm) ?? []).length % 2).toBe(0)
})

describeWith(sshKeygenProbe, 'docs/policy.md', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vouchsafe-guide-'))
    await runAll()
  }, SLOW)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.each(steps.map((step, index) => ({ ...step, index, title: step.command.split('\n')[0] })))(
    'line $line: $title',
    ({ index, shown }) => {
      const { text, status } = printed[index] ?? { text: 'it was not reached', status: -1 }
      expect(text).toMatch(patternOf(shown))
      // A refusal is shown as one; anything else that fails is a mistake of the guide.
      const isRefusal = /^REFUSED|^\d+ mistakes? in/m.test(shown.join('\n'))
      expect(status).toBe(isRefusal ? 2 : 0)
    },
  )
})

test('every command, option and page that the guide names exists', () => {
  const pages = [...guide.matchAll(/\]\(([^)#]+)\)/g)].map(([, path = '']) => path)
  for (const page of pages) readFileSync(join(dirname(join(root, 'docs/policy.md')), page))
  expect(pages.length).toBeGreaterThan(1)
})
