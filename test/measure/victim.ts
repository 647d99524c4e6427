/** A real process that is watched in tests: compiled here, told what to do a line at a time. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface Workshop {
  /** Real path, so that it is what the kernel says too. */
  readonly folder: string
  readonly program: string
  /** A shared library of its own name. */
  readonly library: (name: string) => string
  /** A program that needs no library and does nothing, at this path. */
  readonly standing: (path: string) => string
  readonly start: (environment?: Readonly<Record<string, string>>) => Promise<Victim>
  readonly clear: () => void
}

export interface Victim {
  readonly pid: number
  readonly tell: (line: string) => Promise<void>
  readonly end: () => Promise<void>
}

/** Undefined where the kernel lets this process open what another one mapped; else why not. */
export const notPrivileged: string | undefined = mayFollowMappings()
  ? undefined
  : 'this process may not open /proc/PID/map_files'

export function workshop(): Workshop {
  const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-victim-'))
  const program = join(folder, 'victim')
  compile(['-O1', '-o', program, join(import.meta.dirname, 'victim.c')])
  const started: Victim[] = []
  return {
    folder,
    program,
    library(name) {
      const source = join(folder, `${name}.c`)
      writeFileSync(source, `int ${name}_answer(void) { return ${name.length}; }\n`)
      const path = join(folder, `${name}.so`)
      compile(['-shared', '-fPIC', '-o', path, source])
      return path
    },
    standing(path) {
      const source = join(folder, 'standing.c')
      writeFileSync(source, '#include <unistd.h>\nint main(void) { for (;;) pause(); }\n')
      compile(['-static', '-o', path, source])
      return path
    },
    async start(environment = {}) {
      const victim = await startVictim(program, environment)
      started.push(victim)
      return victim
    },
    clear() {
      for (const victim of started) void victim.end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function digestOfFile(path: string): `sha256:${string}` {
  return `sha256:${createHash('sha256').update(readFileSync(path)).digest('hex')}`
}

async function startVictim(
  program: string,
  env: Readonly<Record<string, string>>,
): Promise<Victim> {
  const child: ChildProcess = spawn(program, [], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]()
  const done = async () => {
    const { value } = await lines.next()
    if (value !== 'done') throw new Error(`the victim ended: ${child.exitCode}`)
  }
  await done()
  return {
    pid: child.pid ?? 0,
    async tell(line) {
      child.stdin?.write(`${line}\n`)
      await done()
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    },
  }
}

function compile(args: readonly string[]): void {
  execFileSync('gcc', args, { stdio: ['ignore', 'inherit', 'inherit'] })
}

/** CAP_SYS_ADMIN (21) or CAP_CHECKPOINT_RESTORE (40): proc_pid_map_files(5). */
function mayFollowMappings(): boolean {
  const [, effective = '0'] =
    /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return (BigInt(`0x${effective}`) & ((1n << 21n) | (1n << 40n))) !== 0n
}
