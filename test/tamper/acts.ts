/** What may be done to an agent that runs, what must stop it on the spot, and by which check the verifier must hear of it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { openSandbox, PluginRefused } from '../../enclave/sandbox/sandbox.ts'
import type { TamperedAgent, TamperScene } from './scene.ts'

export interface Act {
  readonly name: string
  /** Resolves with performance.now() just before it. */
  readonly act: (scene: TamperScene, agent: TamperedAgent) => number | Promise<number>
  /** What the guard says. Undefined: whoever was asked has refused, and nothing has to be frozen. */
  readonly frozenFor: RegExp | undefined
  /** Of the check that quarantines the session. */
  readonly check: string
}

const TRACED_MS = 2_500

const told =
  (line: (scene: TamperScene) => string): Act['act'] =>
  (scene, { tell }) =>
    tell(line(scene))

export const acts: readonly Act[] = [
  {
    name: 'a changed code file',
    act: ({ files }) => written(files.code, 'greeting=other\n'),
    frozenFor: /^a file changed under the running agent: .*code\.sh$/,
    check: 'runtime.code.approved',
  },
  {
    name: 'a library that is injected by LD_PRELOAD',
    act: told(({ files }) => `LD_PRELOAD=${files.strange.library} ${files.victim} </dev/null`),
    frozenFor: /^code was loaded that is not approved: .*strange\.so$/,
    check: 'runtime.library.approved',
  },
  {
    name: 'executable memory that is patched',
    act: told(({ files }) => `(echo patch; read -r _ <&3) | ${files.victim} >/dev/null`),
    frozenFor: /^executable memory is not what its file says: .*victim at \d+$/,
    check: 'runtime.memory-text.unchanged',
  },
  {
    name: 'a swapped model file',
    act: ({ files }) => written(files.model, 'other weights'),
    frozenFor: /^a file changed under the running agent: m$/,
    check: 'runtime.model.approved',
  },
  {
    name: 'a plugin that nobody approved',
    async act(_, { collector }) {
      const sandbox = openSandbox([], collector)
      const at = performance.now()
      const refusal = await sandbox.load(Buffer.from('0061736d01000000', 'hex')).catch((e) => e)
      await sandbox.close()
      if (!(refusal instanceof PluginRefused)) throw new Error('the plugin was loaded')
      return at
    },
    frozenFor: undefined,
    check: 'runtime.plugin-calls.approved',
  },
  {
    name: 'a connection outside the allowlist',
    act: told(({ files }) => `${files.attack} connect 127.0.0.1 10`),
    frozenFor: /^a connection was denied: 127\.0\.0\.1 port 10$/,
    check: 'runtime.egress.allowed',
  },
  {
    name: 'ptrace',
    act: told(({ files }) => `${files.attack} ptrace`),
    frozenFor: /^a sensitive system call was made: ptrace/,
    check: 'runtime.system-calls.allowed',
  },
  {
    name: 'a debugger from outside',
    act: async (_, { pid }) => await traced(pid),
    frozenFor: /^\w+ is traced by process \d+$/,
    check: 'runtime.system-calls.allowed',
  },
  {
    name: 'a program from memory (memfd)',
    act: told(({ files }) => `${files.attack} memfd-exec`),
    frozenFor: /^a sensitive system call was made: memfd_create payload$/,
    check: 'runtime.system-calls.allowed',
  },
  {
    name: 'a program that is not listed',
    act: told(({ files }) => `${files.strange.program} >/dev/null`),
    frozenFor: /^a program was started that is not approved: .*strange$/,
    check: 'runtime.executable.approved',
  },
  {
    name: 'a sensor that is killed',
    act(_, { sensor }) {
      const at = performance.now()
      process.kill(sensor.pid, 'SIGKILL')
      return at
    },
    frozenFor: /^nobody sees what the agent does: the sensor was killed by SIGKILL$/,
    check: 'runtime.sensor.unbroken',
  },
]

/** Attaches to the process as strace and gdb do, and holds it for longer than anybody needs to notice. */
async function traced(pid: number): Promise<number> {
  const script = `import ctypes, sys, time
seize, pid = 0x4206, int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
assert libc.ptrace(seize, pid, None, None) == 0, ctypes.get_errno()
print('attached', flush=True)
time.sleep(6)`
  const child = spawn('python3', ['-c', script, String(pid)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const at = performance.now()
  setTimeout(() => child.kill(), TRACED_MS).unref()
  return at
}

/** Back as it was approved, for the next agent. */
export function mend({ files }: TamperScene): void {
  written(files.code, files.approvedCode)
  written(files.model, files.approvedModel)
}

function written(path: string, text: string): number {
  const at = performance.now()
  writeFileSync(path, text)
  return at
}
