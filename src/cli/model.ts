/** `vouchsafe model`: weights that lie anywhere, and open only where they were meant to run. */
import type { ModelDeps } from './model-deps.ts'
import { inspectVerb } from './model-inspect.ts'
import { openVerb } from './model-open.ts'
import { sealVerb } from './model-seal.ts'
import { runVerb, type Verb } from './verbs.ts'

const verbs: Readonly<Record<string, Verb<ModelDeps>>> = {
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
  return await runVerb(
    {
      command: 'model',
      verbs,
      help,
      missing: 'What to do with the model is missing.',
    },
    args,
    deps,
  )
}
