/** The program as a child process: what it prints, how it ends, and a signal where it should not end by itself. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

const main = join(import.meta.dirname, '../../src/main.ts')

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface RunningProgram {
  readonly ended: Promise<Ended>
  /** Resolves with everything printed so far once `text` was, on either stream. Rejects when the program ends first. */
  readonly printed: (text: string) => Promise<string>
  readonly kill: ChildProcess['kill']
}

export function startProgram(
  args: readonly string[],
  { cwd, env = {} }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): RunningProgram {
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  const waiting = new Set<() => void>()
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk
    for (const look of waiting) look()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk
    for (const look of waiting) look()
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, out, err }))
  })
  return {
    ended,
    kill: child.kill.bind(child),
    printed: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!`${out}${err}`.includes(text)) return
          waiting.delete(look)
          resolve(`${out}${err}`)
        }
        waiting.add(look)
        look()
        void ended.then(() => reject(new Error(`ended without "${text}":\n${out}\n${err}`)))
      }),
  }
}

export async function runProgram(...args: Parameters<typeof startProgram>): Promise<Ended> {
  return await startProgram(...args).ended
}
