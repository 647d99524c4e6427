/** `vouchsafe keys`: the keys that sign tokens, and what they are stored under. */
import { revokeKeyVerb, rotateKeysVerb } from './keys-change.ts'
import type { KeysDeps } from './keys-deps.ts'
import { listKeysVerb } from './keys-list.ts'
import { rewrapKeysVerb } from './keys-rewrap.ts'
import { runVerb, type Verb } from './verbs.ts'

const verbs: Readonly<Record<string, Verb<KeysDeps>>> = {
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
  return await runVerb(
    {
      command: 'keys',
      verbs,
      help,
      missing: 'What to do with the keys is missing.',
    },
    args,
    deps,
  )
}
