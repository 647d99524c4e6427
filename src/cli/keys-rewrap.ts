/** `vouchsafe keys rewrap`: every stored key and secret under another key-encryption key. */
import { decodedKey } from '../config/key-settings.ts'
import { YES } from './answering.ts'
import { Mistake, noPath, parseArguments } from './arguments.ts'
import { readFile } from './files.ts'
import { withStoredKeys } from './keys-access.ts'
import type { KeysDeps } from './keys-deps.ts'
import { flagsOf, settingOptions } from './setting-options.ts'
import { counted } from './text.ts'

const options = {
  'new-key-file': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...settingOptions,
} as const

const help = `vouchsafe keys rewrap: put every stored key, secret and model key under another key-encryption key

The database is the one that the settings of \`vouchsafe serve\` name. The service's own keys change in one transaction, and
then the secrets and model keys of each tenant of the settings, one after the other: cut short, what is left is as it was, and
the command may be run again. The keys and secrets themselves stay the same, and no token is affected.

  Without an interruption, on PostgreSQL or after a restart:
    1. openssl rand -hex 32 > new && chmod 600 new
    2. start every replica with VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE=new and VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE=old
    3. vouchsafe keys rewrap, with the same settings, until it finds nothing left to do
    4. leave out the previous one, and destroy it with its backups
  A program or a transit engine, either as the new one or as the one before, is named by VOUCHSAFE_KEY_ENCRYPTION_COMMAND and
  _HANDLE or by VOUCHSAFE_TRANSIT_…, and by VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_COMMAND and _HANDLE or VOUCHSAFE_PREVIOUS_TRANSIT_….

  --new-key-file FILE    put them under this key, in place of the one that the settings name; then change the settings
  --json                 {resealed, already, resources: {resealed, already}, sealedUnder}

Exits 0 or 1 (could not tell: run it again).

Example:
  vouchsafe keys rewrap --new-key-file new
`

export async function rewrapKeysVerb(args: readonly string[], deps: KeysDeps): Promise<number> {
  const { values, positionals } = parseArguments('keys rewrap', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  noPath(
    'keys rewrap',
    positionals,
    'Name the file of the new key with --new-key-file; never write a key on a command line.',
  )
  const file = values['new-key-file']
  const secret = file === undefined ? undefined : await newKey(file, deps)
  const done = await withStoredKeys({ flags: flagsOf(values), deps }, (keys) => keys.reseal(secret))
  const { resealed, already, resources, sealedUnder } = done
  deps.out(
    values.json
      ? `${JSON.stringify({ resealed, already, resources, sealedUnder })}\n`
      : `${[
          `${counted(resealed, 'key is', 'keys are')} sealed under the key-encryption key ${sealedUnder} now; ${already} ${already === 1 ? 'was' : 'were'} before.`,
          `${counted(resources.resealed, 'version')} of secrets and model keys too; ${resources.already} ${resources.already === 1 ? 'was' : 'were'} before.`,
          file === undefined
            ? 'Next: leave the settings of the previous one (VOUCHSAFE_PREVIOUS_…) out, and destroy the old key with its backups.'
            : `Next: set VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE to ${file}, and VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE (or _COMMAND and _HANDLE, or VOUCHSAFE_PREVIOUS_TRANSIT_…) to the old one until this command, run again, finds nothing left to do.`,
        ].join('\n')}\n`,
  )
  return YES
}

async function newKey(file: string, { files }: Pick<KeysDeps, 'files'>): Promise<Uint8Array> {
  const text = Buffer.from(await readFile(files, file, '--new-key-file')).toString('latin1')
  const mistakes: string[] = []
  const secret = decodedKey('--new-key-file', text, mistakes)
  if (secret) return secret
  throw new Mistake(`${mistakes.join('; ')}.`, 'Make one with `openssl rand -hex 32 > new`.')
}
