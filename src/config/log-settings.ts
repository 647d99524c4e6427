/** Who watches the transparency log: witnesses, each with its address and its verifier key. */
import { z } from 'zod'
import { address } from './values.ts'

export interface WitnessSetting {
  /** Submission prefix of C2SP tlog-witness. */
  readonly url: string
  /** C2SP verifier key: `<name>+<id>+<base64>`. */
  readonly key: string
}

const MOST_WITNESSES = 16
const MESSAGE =
  'must be pairs of an address and a verifier key, `URL KEY`, with commas between them'

/** As text, for a variable; as a list of such pairs, in the file. */
export const logWitnesses = z
  .union([z.string(), z.array(z.string())], MESSAGE)
  .transform((value) => (typeof value === 'string' ? value.split(',') : value))
  .transform((pairs) => pairs.map((pair) => pair.trim()).filter((pair) => pair !== ''))
  .refine((pairs) => pairs.length <= MOST_WITNESSES, `must be at most ${MOST_WITNESSES}`)
  .refine((pairs) => pairs.every(isPair), MESSAGE)
  .transform((pairs) => pairs.map(pairOf))

function isPair(text: string): boolean {
  const { url, key } = pairOf(text)
  // Type 4 of C2SP signed-note: 33 bytes that begin with it.
  return address.safeParse(url).success && /^[^\s+]+\+[0-9a-f]{8}\+B[A-Za-z0-9+/]{43}$/.test(key)
}

function pairOf(text: string): WitnessSetting {
  const [url = '', key = '', ...more] = text.split(/\s+/)
  return more.length === 0 ? { url, key } : { url: '', key: '' }
}
