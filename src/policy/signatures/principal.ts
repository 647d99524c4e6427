/**
 * What may a principal be called? A name is also a file name (`approvals/<sha256>/<principal>.sig`,
 * `trust/openpgp/<principal>.asc`) and a field of OpenSSH's allowed signers, so it is one plain word for all of them.
 */
import { visible } from '../visible-text.ts'

/** A sentence, or undefined when the name is good. */
export function principalMistake(name: string): string | undefined {
  if (/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/.test(name)) return undefined
  const shown = visible(name)
  if (name.includes(','))
    return `${shown} names several principals: write one line, with its own key, for each`
  if (/[*?!]/.test(name))
    return `${shown} is a pattern: a key belongs to one principal, whose name is written out`
  return `${shown} is no name of a principal: 1 to 128 letters, digits and ._@+-, beginning with a letter or digit, such as alice@example.com`
}
