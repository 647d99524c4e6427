/** What the agent of the tamper suite consists of: programs that are approved, others that are not, its code and its model. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { modelOf } from '#src/seal/oms-statement.ts'

export interface AgentFiles {
  readonly folder: string
  readonly attack: string
  readonly victim: string
  /** Approved nowhere. */
  readonly strange: { readonly program: string; readonly library: string }
  readonly code: string
  readonly model: string
  readonly approvedCode: string
  readonly approvedModel: string
  readonly modelDigest: string
  /** `<kind> <hex>  <path>`: of everything that may be started, mapped and read. */
  readonly lines: readonly string[]
  readonly list: string
  readonly clear: () => void
}

const approvedCode = 'greeting=hello\n'
const approvedModel = 'weights'
const SHELL = realpathSync('/bin/sh')
const sources = join(import.meta.dirname, '..')

export function agentFiles(): AgentFiles {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'vouchsafe-tamper-')))
  const app = join(folder, 'app')
  mkdirSync(app)
  const attack = join(app, 'attack')
  const victim = join(app, 'victim')
  compile(['-w', '-pthread', '-o', attack, join(sources, 'sensor/attack.c')])
  compile(['-w', '-o', victim, join(sources, 'measure/victim.c')])
  copyFileSync(join(import.meta.dirname, 'agent.sh'), join(app, 'agent.sh'))
  const code = join(app, 'code.sh')
  writeFileSync(code, approvedCode)
  const model = join(folder, 'model.safetensors')
  writeFileSync(model, approvedModel)
  const strange = { program: join(folder, 'strange'), library: join(folder, 'strange.so') }
  compile(['-w', '-DSTRANGE', '-o', strange.program, join(sources, 'measure/victim.c')])
  const source = join(folder, 'strange.c')
  writeFileSync(source, 'int strange(void) { return 42; }\n')
  compile(['-shared', '-fPIC', '-o', strange.library, source])
  const libraries = new Set([SHELL, attack, victim].flatMap(librariesOf))
  const lines = [
    ...[SHELL, attack, victim].map((path) => lineOf('executable', path)),
    ...[...libraries].map((path) => lineOf('library', path)),
    ...[code, join(app, 'agent.sh')].map((path) => lineOf('code', path)),
  ].toSorted()
  const list = join(folder, 'approved.list')
  writeFileSync(list, lines.map((line) => `${line}\n`).join(''))
  return {
    ...{ folder, attack, victim, strange, code, model, lines, list },
    ...{ approvedCode, approvedModel },
    modelDigest: modelOf('m', [{ path: 'model.safetensors', digest: `sha256:${hexOf(model)}` }])
      .root,
    clear: () => rmSync(folder, { recursive: true, force: true }),
  }
}

export function agentCommand(files: AgentFiles, pipe: string): readonly [string, ...string[]] {
  return [SHELL, join(files.folder, 'app/agent.sh'), pipe, files.code]
}

/** As ldd(1) has it: `libc.so.6 => /lib/... (0x...)`, and the loader of programs by its path alone. */
function librariesOf(program: string): readonly string[] {
  const text = execFileSync('ldd', [program], { encoding: 'utf8' })
  return [...text.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map(([, path = '']) => realpathSync(path))
}

function lineOf(kind: string, path: string): string {
  return `${kind} ${hexOf(path)}  ${path}`
}

function hexOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

function compile(args: readonly string[]): void {
  execFileSync('cc', args, { stdio: ['ignore', 'inherit', 'inherit'] })
}
