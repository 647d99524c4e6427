/** The reference implementation of OpenSSF Model Signing, from PyPI, in an environment of its own that is kept between runs. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** pyOpenSSL is imported by this release and not among what it says that it needs. */
const PACKAGES = ['model-signing==1.1.1', 'pyopenssl==26.4.0'] as const

export type Program = (...args: readonly string[]) => {
  readonly code: number
  readonly said: string
}

/** Why it cannot be had here, in a sentence; otherwise the program `model_signing`. */
export function modelSigning(): Program | string {
  const folder = join(homedir(), '.cache', 'vouchsafe', PACKAGES.join('_').replaceAll('==', '-'))
  if (!existsSync(folder)) {
    // Under another name until it is whole: an installation that was broken off is none.
    const draft = `${folder}.${process.pid}`
    const fault = installed(draft)
    if (fault) {
      rmSync(draft, { recursive: true, force: true })
      return fault
    }
    renameSync(draft, folder)
  }
  return (...args) => {
    // By module: the scripts of a moved environment name the interpreter by its old path.
    const program = join(folder, 'bin', 'python3')
    const { status, stdout, stderr } = spawnSync(program, ['-m', 'model_signing', ...args], {
      encoding: 'utf8',
    })
    return { code: status ?? 1, said: `${stdout}${stderr}` }
  }
}

function installed(folder: string): string | undefined {
  mkdirSync(join(folder, '..'), { recursive: true })
  const steps = [
    ['python3', '-m', 'venv', folder],
    [join(folder, 'bin', 'python3'), '-m', 'pip', 'install', '--quiet', ...PACKAGES],
  ] as const
  for (const [program, ...args] of steps) {
    const { status, error, stderr } = spawnSync(program, args, { encoding: 'utf8' })
    if (status !== 0)
      return `${program} ${args.slice(0, 3).join(' ')} failed: ${error?.message ?? stderr.trim().split('\n').at(-1)}`
  }
  return undefined
}
