/**
 * `vouchsafe serve` as a process that can be killed: a policy that approves one simulated agent, a place for its data, and
 * as many starts as a test wants, with the same settings each time.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { simulatedSnp } from '../../enclave/simulator/agent.ts'
import { freshChance } from '../../enclave/simulator/mint/fresh.ts'
import { pemOf } from '../../enclave/simulator/pem.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { type SignedPolicy, signedPolicy } from '../cli/signed-policy.ts'
import { freePort } from '../free-port.ts'

/** Not where it listens: what is killed may come back on another port, and its name stays. */
export const PUBLIC_URL = 'https://attest.example.com'
/** Its RSA keys are the fixtures', since making some takes seconds; what signs evidence is Node's own, which is fast. */
export const platform = simulatedSnp({
  chance: { ...(await freshChance()), rsa4096: seededChance('faults').rsa4096 },
  issued: new Date(Date.now() - 3600_000),
})
/** What `signedPolicy` approves. */
export const measurement = new Uint8Array(48).fill(0xa1)

const TOKENS = { operator: 'token-of-otto', auditor: 'token-of-anna' } as const

export function bearer(role: keyof typeof TOKENS): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${TOKENS[role]}` }
}

export interface Place {
  /** Beside the data directory, which is its member `data` unless the settings say otherwise. */
  readonly folder: string
  readonly policy: SignedPolicy
  /** Resolves once it answers. `env` comes on top of the place's settings. */
  readonly start: (env?: Readonly<Record<string, string>>) => Promise<Serving>
  readonly remove: () => void
}

export interface Serving {
  readonly port: number
  /** http://127.0.0.1:port */
  readonly address: string
  /** Milliseconds from the beginning of the process to its first answer. */
  readonly startMs: number
  readonly said: () => string
  /** SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>
  /** SIGINT, which does not drain; resolves to the exit code. */
  readonly stop: () => Promise<number | null>
  readonly isGone: () => boolean
  readonly child: ChildProcess
}

const main = join(import.meta.dirname, '../../src/main.ts')

export async function place(
  name: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), `vouchsafe-faults-${name}-`))
  const policy = await signedPolicy()
  const roots = join(folder, 'roots')
  mkdirSync(roots)
  writeFileSync(join(roots, 'ark.pem'), pemOf(platform.anchors.map(({ der }) => der)))
  const operators = Object.entries(TOKENS).map(
    ([role, token]) => `${createHash('sha256').update(token).digest('hex')} ${role} ${role}\n`,
  )
  writeFileSync(join(folder, 'operators'), operators.join(''), { mode: 0o600 })
  const all = {
    VOUCHSAFE_PUBLIC_URL: PUBLIC_URL,
    VOUCHSAFE_POLICY: policy.path,
    VOUCHSAFE_POLICY_PIN: policy.pin,
    VOUCHSAFE_DATA: join(folder, 'data'),
    VOUCHSAFE_SIMULATED_ROOTS: roots,
    VOUCHSAFE_OPERATORS_FILE: join(folder, 'operators'),
    VOUCHSAFE_OFFLINE: 'true',
    VOUCHSAFE_KEY_ENCRYPTION_KEY: '0123456789abcdef'.repeat(4),
    VOUCHSAFE_RATE_LIMIT_CHALLENGES: 'off',
    VOUCHSAFE_RATE_LIMIT_ATTESTATIONS: 'off',
    VOUCHSAFE_RATE_LIMIT_PUBLIC: 'off',
    VOUCHSAFE_RATE_LIMIT_OPERATORS: 'off',
    VOUCHSAFE_RATE_LIMIT_TENANT: 'off',
    // A machine that runs many tests at once is late all the time.
    VOUCHSAFE_MOST_LOOP_DELAY_MS: '10000',
    // Written by a process that ends in peace, and half a second less for each that starts after it.
    NODE_COMPILE_CACHE: join(folder, 'compiled'),
    ...settings,
  }
  const started = new Set<ChildProcess>()
  return {
    folder,
    policy,
    async start(env = {}) {
      const serving = await serve(folder, { ...all, ...env })
      started.add(serving.child)
      return serving
    },
    remove() {
      for (const child of started) child.kill('SIGKILL')
      policy.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function serve(cwd: string, env: Readonly<Record<string, string>>): Promise<Serving> {
  const port = await freePort()
  const begun = performance.now()
  const child = spawn(process.execPath, [main, 'serve', '--port', String(port)], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const hear = (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-1_000_000)
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const isGone = () => child.exitCode !== null || child.signalCode !== null
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  while (!said.includes('answers on')) {
    if (isGone()) throw new Error(`vouchsafe serve ended:\n${said}`)
    await sleep(5)
  }
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    return await ended
  }
  return {
    port,
    address: `http://127.0.0.1:${port}`,
    startMs: performance.now() - begun,
    said: () => said,
    isGone,
    child,
    async kill() {
      await end('SIGKILL')
    },
    stop: () => end('SIGINT'),
  }
}
