/** What `vouchsafe doctor` asks of whoever holds the key-encryption key outside this process: does it wrap, and unwrap again? */
import { randomBytes } from 'node:crypto'
import { sameBytes } from '../bytes/encoding.ts'
import type { Secrets } from '../config.ts'
import type { KeyEncryptions } from '../service/key-encryption.ts'
import type { Examination } from './examination.ts'

const DATA_KEY_SIZE = 32
/** What stands behind it is asked again and again while a service runs. */
const SLOW_MS = 1000

/** None where the key is a file's: that it has 32 bytes is asked of the settings, and that it opens what is stored, of the keys. */
export function keyEncryptionExaminations(
  { keyEncryptionsOf }: { readonly keyEncryptionsOf: (secrets: Secrets) => KeyEncryptions },
  secrets: Secrets,
): readonly Examination[] {
  if (secrets.keyEncryption.kind === 'secret') return []
  return [
    {
      name: 'key-encryption key',
      advice:
        secrets.keyEncryption.kind === 'transit'
          ? 'Check the address, the token (policy: update on encrypt and decrypt of that key) and that the engine is unsealed; docs/operations.md has the policy.'
          : 'Run the program by hand, with --wrap and then with --unwrap; docs/operations.md says what it must do.',
      examine: async () => {
        const [encryption] = keyEncryptionsOf(secrets)
        const dataKey = new Uint8Array(randomBytes(DATA_KEY_SIZE))
        const began = performance.now()
        const back = await encryption.unwrap(await encryption.wrap(dataKey))
        const ms = Math.round(performance.now() - began)
        if (!sameBytes(back, dataKey))
          throw new Error(`${encryption.name} does not give back what it wrapped`)
        const said = `${encryption.name} wraps and unwraps, in ${ms} ms`
        return ms <= SLOW_MS
          ? said
          : {
              warning: said,
              advice: 'The first release of each secret in a minute waits for it: bring it nearer.',
            }
      },
    },
  ]
}
