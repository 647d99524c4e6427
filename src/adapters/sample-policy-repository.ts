/** A policy repository made on the spot by the system's git, for `vouchsafe dev`: real, and anyone's to change. */
import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Problem } from '../problems.ts'

export interface SampleRepository {
  /** Made anew: whatever was there is gone. */
  readonly path: string
  readonly files: Readonly<Record<string, string>>
  /** PATH. */
  readonly searchPath: string
}

/** Throws Problem('policy-unavailable') where there is no git. */
export async function makeSampleRepository({
  path,
  files,
  searchPath,
}: SampleRepository): Promise<void> {
  await rm(path, { recursive: true, force: true })
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, file)), { recursive: true })
    await writeFile(join(path, file), text)
  }
  const git = async (...args: readonly string[]) =>
    await promisify(execFile)('git', [...args], {
      cwd: path,
      timeout: 20_000,
      // Nobody's settings, hooks or signing keys: the same commit everywhere.
      env: {
        PATH: searchPath,
        HOME: '/nonexistent',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_AUTHOR_NAME: 'Vouchsafe dev',
        GIT_AUTHOR_EMAIL: 'dev@localhost',
        GIT_COMMITTER_NAME: 'Vouchsafe dev',
        GIT_COMMITTER_EMAIL: 'dev@localhost',
      },
    })
  try {
    await git('init', '--quiet', '--initial-branch=main')
    await git('add', '--all')
    await git('commit', '--quiet', '--message', 'approve invoice-bot 1.0.0')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.trim() : String(cause)
    throw new Problem(
      'policy-unavailable',
      `the sample policy repository could not be made with git (is it installed?): ${reason}`,
      { cause },
    )
  }
}
