/**
 * Who operates this service? One line each: `<SHA-256 of the token, 64 hex digits> <role> <name>`. The file holds no token,
 * so whoever reads it cannot act as anybody; whoever writes it can make himself an operator.
 */
import { type ConfigSources, type Given, messageOf } from './given.ts'
import { settingNamed } from './settings.ts'

export interface OperatorEntry {
  readonly name: string
  readonly role: (typeof operatorRoles)[number]
  /** 32 bytes. */
  readonly sha256: Uint8Array
}

export const operatorRoles = ['viewer', 'auditor', 'operator', 'secret-admin', 'enforcer'] as const
const MOST_OPERATORS = 1000
const SHA256_OF_NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** Every line that is wrong is told, without what it says: somebody may have written the token itself. */
export function operatorsOf(
  { readText }: ConfigSources,
  { operatorsFile: file }: Given,
  mistakes: string[],
): readonly OperatorEntry[] {
  if (typeof file !== 'string' || file === '') return []
  const setting = settingNamed('operatorsFile')
  let text: string
  try {
    text = readText(file)
  } catch (cause) {
    mistakes.push(`${setting}: ${file} cannot be read: ${messageOf(cause)}`)
    return []
  }
  const operators: OperatorEntry[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.trim()
    if (words === '' || words.startsWith('#')) continue
    const read = operatorOf(words, operators)
    if (typeof read === 'string') mistakes.push(`${setting}: ${file}:${index + 1} ${read}`)
    else operators.push(read)
  }
  if (operators.length > MOST_OPERATORS)
    mistakes.push(`${setting}: ${file} has ${operators.length} lines; at most ${MOST_OPERATORS}`)
  return operators
}

/** The operator, or what is wrong with the line. */
function operatorOf(words: string, others: readonly OperatorEntry[]): OperatorEntry | string {
  const [hex = '', role = '', name = '', ...more] = words.split(/[ \t]+/)
  if (!/^[0-9a-f]{64}$/.test(hex) || hex === SHA256_OF_NOTHING)
    return 'must begin with the SHA-256 of a token in lower-case hex, as printf %s "$token" | sha256sum prints it'
  const known = operatorRoles.find((each) => each === role)
  if (!known) return `must name one of the roles ${operatorRoles.join(', ')} after the digest`
  if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(name) || more.length > 0)
    return 'must end with a name: letters, digits and . _ @ -, at most 64 of them'
  if (others.some((other) => Buffer.from(other.sha256).toString('hex') === hex))
    return 'repeats the digest of a line above: a token is one operator’s'
  if (others.some((other) => other.name === name)) return 'repeats the name of a line above'
  return { name, role: known, sha256: new Uint8Array(Buffer.from(hex, 'hex')) }
}
