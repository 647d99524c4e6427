/** `vouchsafe policy` as src/main.ts wires it, on this machine's git and ssh-keygen; what the tests of its verbs share. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { localFiles } from '#src/adapters/local-files.ts'
import { policyTools } from '#src/adapters/policy-tools.ts'
import { policyCommand } from '#src/cli/policy.ts'
import type { PolicyDeps } from '#src/cli/policy-deps.ts'
import { output } from './command.ts'

const searchPath = process.env.PATH ?? ''

/** Runs a verb; `out` is what it printed, `json` the same read as JSON. */
export async function policy(args: readonly string[], deps: Partial<PolicyDeps> = {}) {
  const { written, out, err } = output()
  const code = await policyCommand(args, {
    colour: false,
    now: () => new Date(),
    files: localFiles,
    fetch: globalThis.fetch,
    diffStored: async () => {
      throw new Error('no data directory here')
    },
    ...policyTools({ searchPath }),
    ...deps,
    out,
    err,
  })
  return {
    code,
    ...written,
    get json() {
      return JSON.parse(written.out)
    },
  }
}

/** `policy verify --json`, with its exit code among what it answered. */
export async function verify({ path }: { readonly path: string }, ...args: readonly string[]) {
  const { code, json } = await policy(['verify', '--repository', path, '--json', ...args])
  return { code, ...json }
}

const folders: string[] = []

export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-policy-cli-'))
  folders.push(folder)
  return folder
}

export function removeScratch(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
}

/** The system's git in a working folder, with nobody's settings but the repository's own. */
export function gitIn(path: string): (...args: readonly string[]) => string {
  const env = { PATH: searchPath, HOME: path, GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' }
  return (...args) =>
    execFileSync('git', ['-C', path, ...args], { env, encoding: 'utf8', stdio: 'pipe' })
}
