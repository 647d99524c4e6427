/** `vouchsafe model`: weights that lie anywhere, and open only where they were meant to run. */
import { answering, YES } from './answering.ts'
import { Mistake } from './arguments.ts'
import type { ModelDeps } from './model-deps.ts'
import { inspectVerb } from './model-inspect.ts'
import { openVerb } from './model-open.ts'
import { sealVerb } from './model-seal.ts'

interface Verb {
  readonly summary: string
  /** `args` is what follows the verb. Resolves to the exit code; throws what `answering` tells. */
  readonly run: (args: readonly string[], deps: ModelDeps) => Promise<number>
}

const verbs: Readonly<Record<string, Verb>> = {
  seal: { summary: 'encrypt a model, sign it, store it in a folder or a registry', run: sealVerb },
  open: {
    summary: 'decrypt it with a key that was got by attestation, and verify it',
    run: openVerb,
  },
  inspect: { summary: 'what does a sealed model say of itself?', run: inspectVerb },
}

const help = `vouchsafe model: weights that lie anywhere, and open only where they were meant to run

${Object.entries(verbs)
  .map(([name, { summary }]) => `  vouchsafe model ${name.padEnd(8)} ${summary}`)
  .join('\n')}

Each takes --help and --json. docs/models.md tells the whole way.
`

/** `args` is what follows `model`. Resolves to the exit code; never rejects. */
export async function modelCommand(args: readonly string[], deps: ModelDeps): Promise<number> {
  const [name = '', ...rest] = args
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  return await answering(verb ? `model ${name}` : 'model', args, deps, async () => {
    if (verb) return await verb.run(rest, deps)
    if (['help', '--help', '-h'].includes(name)) {
      deps.out(help)
      return YES
    }
    throw new Mistake(
      name === ''
        ? 'What to do with the model is missing.'
        : `There is no \`vouchsafe model ${name}\`.`,
      `Choose one of ${Object.keys(verbs).join(', ')}; see \`vouchsafe model --help\`.`,
    )
  })
}
