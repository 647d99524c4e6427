/**
 * Open Policy Agent itself, built from go/, whose go.sum pins every byte of it: its server, and its compiler. Only the build
 * may touch the network, for modules that this machine has not fetched yet.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll } from 'vitest'
import { goTool } from '../go-tool.ts'

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

export function opa(): Opa {
  const { missing, build } = goTool(join(import.meta.dirname, 'go'), 'opa')
  if (missing !== undefined) return skipped(missing)
  const command = build()
  const servers: OpaServer[] = []
  afterAll(async () => {
    for (const { kill } of servers) await kill()
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

function skipped(reason: string): Opa {
  const nobody = () => {
    throw new Error(`nobody to ask: ${reason}`)
  }
  return { missing: reason, compile: nobody, serve: nobody }
}
