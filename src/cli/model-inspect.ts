/** `vouchsafe model inspect`: what does a sealed model say of itself? Without its key that is anybody's word. */
import { YES } from './answering.ts'
import { onePath, parseArguments } from './arguments.ts'
import { refusing, registryHelp, registryOf, registryOptions } from './model-arguments.ts'
import type { InspectedModel, ModelDeps } from './model-deps.ts'
import { size } from './model-progress.ts'
import { counted, printable } from './text.ts'

const options = {
  ...registryOptions,
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe model inspect SEALED: name, version, digest and files of a sealed model

  SEALED                 a folder that \`vouchsafe model seal\` wrote, or oci://host/repository@sha256:...
${registryHelp}
  --json                 {name, version, digest, files, bytes, signed, list: [{path, bytes, digest}]}

Nothing is decrypted, and nothing is authenticated: whoever stores a model can write what is shown here, and an agent
that opens it would notice.

Exits 0, 2 (it does not hold together) or 1 (could not tell).
`

/** `args` is what follows `inspect`. Resolves to the exit code; throws Mistake, Problem. */
export async function inspectVerb(args: readonly string[], deps: ModelDeps): Promise<number> {
  const { values, positionals } = parseArguments('model inspect', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const place = onePath('model inspect', 'SEALED', positionals)
  const json = values.json === true
  return await refusing(json, deps, async () => {
    const model = await deps.inspect({ place, registry: registryOf(values) })
    deps.out(json ? `${JSON.stringify(model)}\n` : text(model))
    return YES
  })
}

function text({ name, version, digest, files, bytes, signed, list }: InspectedModel): string {
  return [
    `${name} version ${version}: ${counted(files, 'file')}, ${size(bytes)}${signed ? ', with a signature' : ''} (not authenticated)`,
    `digest  ${digest}`,
    ...list.map(
      (file) => `  ${file.digest}  ${size(file.bytes).padStart(10)}  ${printable(file.path)}`,
    ),
    '',
  ].join('\n')
}
