/** Real Git repositories, made on the spot. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const identity = {
  PATH: process.env.PATH,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.com',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.com',
}

export interface TestRepository {
  readonly path: string
  readonly git: (...args: readonly string[]) => string
  readonly write: (path: string, content: string | Uint8Array) => void
  /** Commits everything that was written; returns the commit's name. */
  readonly commit: (message?: string) => string
  readonly remove: () => void
}

export function testRepository(...init: readonly string[]): TestRepository {
  const path = mkdtempSync(join(tmpdir(), 'vouchsafe-policy-'))
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', path, ...args], { env: identity, encoding: 'utf8', stdio: 'pipe' })
  git('init', '--quiet', '--initial-branch=main', ...init)
  return {
    path,
    git,
    write(file, content) {
      mkdirSync(dirname(join(path, file)), { recursive: true })
      writeFileSync(join(path, file), content)
    },
    commit(message = 'a change') {
      git('add', '--all')
      git('commit', '--quiet', '--allow-empty', '--message', message)
      return git('rev-parse', 'HEAD').trim()
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}
