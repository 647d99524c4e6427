/** `vouchsafe measure tree`: which lines of a manifest approve everything that lies in this folder? */
import { join, posix, resolve } from 'node:path'
import {
  isListLine,
  LARGEST_LIST,
  type ListText,
  listLine,
  listOf,
} from '../policy/documents/measurement-list.ts'
import { listedKinds } from '../policy/documents/runtime-schema.ts'
import { answering, type Output, YES } from './answering.ts'
import { Mistake, onePath, parseArguments } from './arguments.ts'
import { modelProgress, size } from './model-progress.ts'
import { counted, printable } from './text.ts'

/** Reads and writes; structurally those of src/adapters/measured-tree.ts. */
export interface MeasureTreeDeps {
  readonly measureTree: (
    request: { readonly folder: string; readonly except: readonly string[] },
    told: (step: { readonly path: string; readonly done: number; readonly total: number }) => void,
  ) => Promise<{
    readonly files: readonly {
      readonly path: string
      readonly kind: 'executable' | 'library' | 'code'
      readonly digest: string
    }[]
    readonly bytes: number
    readonly unmeasurable: readonly string[]
  }>
  /** Makes its folder too. */
  readonly writeFile: (path: string, text: string) => Promise<void>
  /** Whether stderr is one. */
  readonly terminal: boolean
}

/** A folder that is measured in a moment needs no bar. */
const SHOWN_FROM_BYTES = 16 * 1024 * 1024

const options = {
  as: { type: 'string' },
  kind: { type: 'string' },
  except: { type: 'string', multiple: true },
  out: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe measure tree DIR: approve what lies in a folder, for spec.runtime.lists of a manifest

  DIR                    the folder, as it is going to lie on the agent's machine
  --as PATH              where it lies there (default: DIR)
  --kind KIND            ${listedKinds.join(', ')} (default: programs are executables,
                         shared objects libraries, everything else code)
  --except PATH          leave out PATH, from DIR on, and everything below; may be given more than once
  --out FOLDER           where the list is written (default: measurements, as in a policy repository)
  --json                 print {files, bytes, lists: [{file, digest, lines}]}

Writes FOLDER/<digest>.list, several of them where one would be larger than ${LARGEST_LIST / 1024 / 1024} MiB, and prints the line for the manifest.
What may be started may be mapped, and what may be mapped may be read; never the other way round. Exits 0, or 1 when it could not.

Example, in the folder of a policy repository:
  vouchsafe measure tree ../agent/dist --as /opt/agent
`

/** `args` is what follows `measure tree`. Resolves to the exit code; never rejects. */
export async function measureTreeCommand(
  args: readonly string[],
  deps: Output & MeasureTreeDeps,
): Promise<number> {
  return await answering('measure tree', args, deps, async () => {
    const { values, positionals } = parseArguments('measure tree', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    const folder = onePath('measure tree', 'DIR', positionals)
    const as = placeOf(values.as ?? resolve(folder))
    const kind = kindOf(values.kind)
    const tree = await measured(folder, values.except ?? [], deps)
    for (const path of tree.unmeasurable)
      deps.err(`vouchsafe measure tree: ${printable(path)} is no file and cannot be measured.\n`)
    const lines = tree.files.map((file) => lineOf({ ...file, kind: kind ?? file.kind }, as))
    if (lines.length === 0)
      throw new Mistake(`${folder} holds no file.`, 'Name the folder that the agent runs from.')
    const lists = split(lines)
    const out = values.out ?? 'measurements'
    for (const { sha256, text } of lists) await deps.writeFile(join(out, `${sha256}.list`), text)
    deps.out(
      values.json
        ? `${JSON.stringify({ files: tree.files.length, bytes: tree.bytes, lists: lists.map((list) => shown(list, out)) })}\n`
        : textOf(lists, { out, files: tree.files.length, bytes: tree.bytes }),
    )
    return YES
  })
}

async function measured(folder: string, except: readonly string[], deps: Output & MeasureTreeDeps) {
  const progress = modelProgress(deps)
  try {
    return await deps.measureTree(
      { folder, except: except.map((path) => posix.normalize(path).replace(/\/$/, '')) },
      (step) => {
        if (step.total >= SHOWN_FROM_BYTES) progress.told({ doing: 'measuring', ...step })
      },
    )
  } catch (cause) {
    throw new Mistake(
      `${folder} cannot be measured: ${cause instanceof Error ? cause.message : String(cause)}.`,
      'Name a folder all of whose files may be read.',
      'file-unreadable',
    )
  } finally {
    progress.end()
  }
}

function placeOf(path: string): string {
  if (path.startsWith('/') && posix.normalize(path) === path) return path.replace(/\/$/, '')
  throw new Mistake(
    `--as ${path} is no absolute path without detours.`,
    'Write where the folder lies on the agent’s machine, such as /opt/agent.',
  )
}

function kindOf(text: string | undefined): (typeof listedKinds)[number] | undefined {
  const kind = listedKinds.find((each) => each === text)
  if (text === undefined || kind !== undefined) return kind
  throw new Mistake(
    `--kind ${text} is unknown.`,
    `Choose one of ${listedKinds.join(', ')}; models are approved by spec.models.`,
  )
}

function lineOf(
  file: { readonly path: string; readonly kind: string; readonly digest: string },
  as: string,
): string {
  const line = listLine(file.kind, file.digest, `${as}/${file.path}`)
  if (isListLine(line)) return line
  throw new Mistake(
    `${printable(file.path)} has a name that no list can hold: it is too long, or holds control characters.`,
    'Rename it, or leave it out with --except.',
  )
}

/** In order, each as long as a list may be. */
function split(lines: readonly string[]): readonly ListText[] {
  const parts: string[][] = []
  let room = 0
  for (const line of lines.toSorted()) {
    const bytes = Buffer.byteLength(line) + 1
    if (bytes > room) {
      parts.push([])
      room = LARGEST_LIST
    }
    parts.at(-1)?.push(line)
    room -= bytes
  }
  return parts.map(listOf)
}

function shown({ sha256, text }: ListText, out: string) {
  return {
    file: join(out, `${sha256}.list`),
    digest: `sha256:${sha256}`,
    lines: text.split('\n').length - 1,
  }
}

function textOf(
  lists: readonly ListText[],
  { out, files, bytes }: { readonly out: string; readonly files: number; readonly bytes: number },
): string {
  const digests = lists.map(({ sha256 }) => `"sha256:${sha256}"`)
  return [
    ...lists.map(({ sha256 }) => `Written: ${printable(join(out, `${sha256}.list`))}`),
    `${counted(files, 'file')}, ${size(bytes)}. In the manifest, below spec.runtime:`,
    `    lists: [${digests.join(', ')}]`,
    '',
  ].join('\n')
}
