/** The agent as a child process: what it tells, in order, and a way to hand it work. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type Told = Readonly<Record<string, unknown>> & { readonly event: string }

export interface AgentProcess {
  /** The next thing that it tells. Throws when it ends instead, or tells something else than was expected. */
  readonly told: (event: string) => Promise<Told>
  readonly give: (work: string) => void
  /** No more work: resolves to its exit code. */
  readonly ended: () => Promise<number | null>
}

const program = fileURLToPath(new URL('agent.ts', import.meta.url))

export function startAgent(options: Readonly<Record<string, string>>): AgentProcess {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async told(event) {
      const { value, done } = await lines.next()
      if (done) throw new Error(`the agent ended, and did not tell ${event}`)
      const told: Told = JSON.parse(value)
      if (told.event === event) return told
      throw new Error(`the agent told ${value}, and not ${event}`)
    },
    give: (work) => child.stdin.write(`${work}\n`),
    async ended() {
      child.stdin.end()
      const [code] = await exit
      return code
    },
  }
}
