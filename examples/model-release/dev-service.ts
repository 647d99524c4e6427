/** `vouchsafe dev` as a child process in a folder of its own: the service of production, with simulated hardware. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export interface DevService {
  readonly url: string
  readonly issuer: string
  /** A git repository; its commits are signed as alice. */
  readonly policyRepository: string
  /** By which agents attest on its simulated machine. */
  readonly machineFile: string
  readonly agents: { readonly approved: string; readonly tampered: string }
  /** The service's answer. Throws for any but 2xx. */
  readonly ask: (
    role: 'operator' | 'secret-admin',
    path: string,
    body?: unknown,
  ) => Promise<Readonly<Record<string, unknown>>>
  readonly stop: () => Promise<void>
}

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

const shown = z.object({
  url: z.string(),
  issuer: z.string(),
  directory: z.string(),
  policy: z.object({ repository: z.string() }),
  agents: z.tuple([z.object({ folder: z.string() }), z.object({ folder: z.string() })]),
})

/** Takes some seconds: the simulated vendor makes RSA-4096 keys. */
export async function startDevService(folder: string): Promise<DevService> {
  const child = spawn(process.execPath, [program, 'dev', '--json'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const { url, issuer, directory, policy, agents } = shown.parse(JSON.parse(await firstLine(child)))
  const [approved, tampered] = agents
  return {
    url,
    issuer,
    policyRepository: policy.repository,
    machineFile: join(directory, 'simulated-machine.json'),
    agents: { approved: approved.folder, tampered: tampered.folder },
    async ask(role, path, body) {
      const token = readFileSync(join(directory, `${role}-token`), 'utf8').trim()
      const response = await fetch(`${url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const answer = z.record(z.string(), z.unknown()).parse(await response.json())
      if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`)
      return answer
    },
    async stop() {
      child.kill('SIGINT')
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (!stdout) throw new Error('the service has no output')
  for await (const line of createInterface({ input: stdout })) return line
  throw new Error('the service ended before it was ready')
}
