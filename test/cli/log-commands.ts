/** Runs `vouchsafe log` against a service of this process: the command, its files and the network are real. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { keepDurably } from '#src/adapters/durable-file.ts'
import { localFiles } from '#src/adapters/local-files.ts'
import { logCommand } from '#src/cli/log.ts'
import type { LogDeps } from '#src/cli/log-deps.ts'
import { AT, random } from '../service/log-scene.ts'

export interface Told {
  readonly code: number
  readonly out: string
  readonly err: string
  /** Of what was printed; undefined where it is no JSON. */
  readonly json: Record<string, unknown>
}

export async function log(args: readonly string[], change: Partial<LogDeps> = {}): Promise<Told> {
  let [out, err] = ['', '']
  const code = await logCommand(args, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    colour: false,
    terminal: false,
    files: localFiles,
    fetch: globalThis.fetch,
    now: () => AT,
    randomBytes: random.bytes,
    keepFile: keepDurably,
    wait: async () => {},
    stopped: async () => 'SIGTERM',
    ...change,
  })
  return { code, out, err, json: jsonOf(out) }
}

export async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'vouchsafe-log-'))
  afterAll(() => rm(made, { recursive: true }))
  return made
}

export interface ListeningWitness {
  readonly url: string
  readonly key: string
  readonly stop: () => Promise<Told>
}

/** `vouchsafe log witness --listen`, as it runs until it is stopped. */
export async function listeningWitness(args: readonly string[]): Promise<ListeningWitness> {
  const stopping = Promise.withResolvers<string>()
  const said = Promise.withResolvers<{ listening: string; key: string }>()
  const running = log(['witness', ...args, '--listen', '127.0.0.1:0', '--json'], {
    out: (text) => said.resolve(JSON.parse(text)),
    stopped: () => stopping.promise,
  })
  const { listening, key } = await Promise.race([
    said.promise,
    running.then((told) => {
      throw new Error(`the witness ended: ${told.err}`)
    }),
  ])
  return {
    url: listening,
    key,
    async stop() {
      stopping.resolve('SIGTERM')
      return await running
    },
  }
}

function jsonOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
