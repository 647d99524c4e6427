/**
 * Open Policy Agent itself, built from go/, whose go.sum pins every byte of it: its server, and its compiler. Only the build
 * may touch the network, for modules that this machine has not fetched yet.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll } from 'vitest'

export interface Opa {
  /** Why the tests are skipped; undefined where they can run. */
  readonly missing: string | undefined
  readonly compile: (policy: string, module: string) => void
  readonly serve: (policy: string) => Promise<OpaServer>
}

export interface OpaServer {
  readonly url: string
  /** As an accident would. */
  readonly kill: () => Promise<void>
}

const GO = 'go'
const source = join(import.meta.dirname, 'go')
const env = {
  ...process.env,
  GOFLAGS: '-mod=readonly -buildvcs=false',
  GOTOOLCHAIN: 'local',
  GOWORK: 'off',
  CGO_ENABLED: '0',
}

/** Where Go is at hand and the modules are not, tests are skipped as well, except in CI: there that is a failure. */
export function opa(): Opa {
  if (failureOf('version') !== undefined) return skipped('there is no go command')
  const unfetched = process.env.CI ? undefined : failureOf('list', '-deps', '.')
  if (unfetched !== undefined) return skipped(`go cannot have its modules: ${unfetched}`)
  const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-opa-'))
  const command = join(folder, 'opa')
  execFileSync(GO, ['build', '-o', command, '.'], { cwd: source, env })
  const servers: OpaServer[] = []
  afterAll(async () => {
    for (const { kill } of servers) await kill()
    rmSync(folder, { recursive: true })
  })
  return {
    missing: undefined,
    compile: (policy, module) => void execFileSync(command, ['build', policy, module]),
    async serve(policy) {
      const server = await started(command, policy)
      servers.push(server)
      return server
    },
  }
}

async function started(command: string, policy: string): Promise<OpaServer> {
  const child = spawn(command, ['serve', policy], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [address] = await once(createInterface(child.stdout), 'line')
  return {
    url: `http://${String(address)}`,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

/** The last line of what Go complains about; undefined when it does not. */
function failureOf(...question: readonly string[]): string | undefined {
  const { status, stderr } = spawnSync(GO, question, { cwd: source, env, encoding: 'utf8' })
  return status === 0 ? undefined : (stderr?.trimEnd().split('\n').at(-1) ?? 'it does not run')
}

function skipped(reason: string): Opa {
  const nobody = () => {
    throw new Error(`nobody to ask: ${reason}`)
  }
  return { missing: reason, compile: nobody, serve: nobody }
}

/** Name of a group of tests, with the reason if it is skipped. */
export function titled(name: string, { missing }: Opa): string {
  return missing === undefined ? name : `${name} (skipped: ${missing})`
}
