/** `vouchsafe keys`: the keys that sign tokens, and what they are stored under. */
import { answering, YES } from './answering.ts'
import { Mistake } from './arguments.ts'
import { revokeKeyVerb, rotateKeysVerb } from './keys-change.ts'
import type { KeysDeps } from './keys-deps.ts'
import { listKeysVerb } from './keys-list.ts'
import { rewrapKeysVerb } from './keys-rewrap.ts'

interface Verb {
  readonly summary: string
  /** `args` is what follows the verb. Resolves to the exit code; throws what `answering` tells. */
  readonly run: (args: readonly string[], deps: KeysDeps) => Promise<number>
}

const verbs: Readonly<Record<string, Verb>> = {
  list: { summary: 'what signs, what will, and what did', run: listKeysVerb },
  rotate: { summary: 'make a successor, which signs in a quarter of an hour', run: rotateKeysVerb },
  revoke: { summary: 'end a key at once: nothing that it signed is good', run: revokeKeyVerb },
  rewrap: {
    summary: 'store them, and secrets, under another key-encryption key',
    run: rewrapKeysVerb,
  },
}

const help = `vouchsafe keys: the keys that sign tokens, and what they are stored under

${Object.entries(verbs)
  .map(([name, { summary }]) => `  vouchsafe keys ${name.padEnd(7)} ${summary}`)
  .join('\n')}

Each takes --help and --json.
`

/** `args` is what follows `keys`. Resolves to the exit code; never rejects. */
export async function keysCommand(args: readonly string[], deps: KeysDeps): Promise<number> {
  const [name = '', ...rest] = args
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  return await answering(verb ? `keys ${name}` : 'keys', args, deps, async () => {
    if (verb) return await verb.run(rest, deps)
    if (['help', '--help', '-h'].includes(name)) {
      deps.out(help)
      return YES
    }
    throw new Mistake(
      name === ''
        ? 'What to do with the keys is missing.'
        : `There is no \`vouchsafe keys ${name}\`.`,
      `Choose one of ${Object.keys(verbs).join(', ')}; see \`vouchsafe keys --help\`.`,
    )
  })
}
