/** `vouchsafe plugin inspect`: what does this WebAssembly plugin ask for, before anybody approves it? */

import { type Output, REFUSED, YES } from './answering.ts'
import { onePath, parseArguments } from './arguments.ts'
import { type Files, readFile } from './files.ts'
import { coloured, type Paint, plain, printable } from './text.ts'
import { runVerb } from './verbs.ts'

export interface PluginDeps extends Output {
  readonly files: Files
  readonly colour?: boolean
  readonly inspect: (bytes: Uint8Array) => InspectedPlugin
}

export interface InspectedPlugin {
  /** `sha256:<hex>`: what an approval names. */
  readonly digest: string
  readonly bytes: number
  /** Empty: it is no plugin, or nothing was found out. */
  readonly abi: string
  /** Grants without which it is not loaded. */
  readonly needs: readonly string[]
  readonly imports: readonly string[]
  readonly exports: readonly string[]
  /** In pages of 64 KiB; null where there is no maximum, or no memory. */
  readonly memoryPages: number | null
  /** Sentences: why the sandbox would not load it, even with all that it needs. */
  readonly refusals: readonly string[]
}

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe plugin: WebAssembly plugins, which agents run in a sandbox

  vouchsafe plugin inspect FILE  what does it ask for, and would the sandbox load it?

  --json                         print {digest, bytes, abi, needs, imports, exports, memoryPages, refusals}

Reads only the file and runs nothing of it. Exits 0, 2 where the sandbox would refuse it under any grants, or 1 when it
could not tell. docs/sandbox.md has the rules.

Example:
  vouchsafe plugin inspect summarise.wasm
`

/** `args` is what follows `plugin`. Resolves to the exit code; never rejects. */
export async function pluginCommand(args: readonly string[], deps: PluginDeps): Promise<number> {
  return await runVerb(
    {
      command: 'plugin',
      verbs: { inspect: { summary: 'what does it ask for?', run: inspectVerb } },
      help,
      missing: 'What to do with the plugin is missing.',
    },
    args,
    deps,
  )
}

async function inspectVerb(args: readonly string[], deps: PluginDeps): Promise<number> {
  const { values, positionals } = parseArguments('plugin inspect', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const path = onePath('plugin inspect', 'FILE', positionals)
  const plugin = deps.inspect(await readFile(deps.files, path, 'FILE'))
  deps.out(
    values.json
      ? `${JSON.stringify(plugin)}\n`
      : pluginText(plugin, deps.colour ? coloured : plain),
  )
  return plugin.refusals.length === 0 ? YES : REFUSED
}

function pluginText(plugin: InspectedPlugin, paint: Paint): string {
  const { digest, bytes, abi, needs, imports, exports, memoryPages, refusals } = plugin
  const rows: readonly (readonly [string, string])[] = [
    ['digest', digest],
    ['bytes', String(bytes)],
    ['called as', abi || 'unknown'],
    ['needs', needs.join(', ') || 'no grant'],
    ['memory', memoryPages === null ? 'without a maximum' : `at most ${memoryPages * 64} KiB`],
    ['imports', imports.join(' ') || 'none'],
    ['exports', exports.join(' ') || 'none'],
  ]
  const verdict =
    refusals.length === 0
      ? paint('good', 'The sandbox would load it, once this digest is approved with what it needs.')
      : [
          paint('bad', 'The sandbox would refuse it, whatever was approved:'),
          ...refusals.map((each) => `  ${printable(each)}`),
        ].join('\n')
  return `${rows.map(([name, value]) => `${name.padEnd(10)} ${printable(value)}`).join('\n')}\n${verdict}\n`
}
