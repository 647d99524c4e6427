/**
 * What do the options of an allowed-signers line say? As OpenSSH reads them (sshsig.c, sshsigopt_parse): names in any
 * case, each at most once, values in double quotes. `cert-authority` and patterns of namespaces are refused.
 */
import { visible } from '../visible-text.ts'

export interface SignerOptions {
  /** Purposes that the key may sign for; undefined for all. */
  readonly namespaces: readonly string[] | undefined
  /** First and last second at which a signature by it counts. */
  readonly validAfter: Date | undefined
  readonly validBefore: Date | undefined
}

type OptionsReading =
  | { readonly options: SignerOptions; readonly end: number }
  | { readonly message: string; readonly at: number }

/** `at`: where the options begin within their line. `end`: the blank after them. */
export function readSignerOptions(line: string, at: number): OptionsReading {
  const values = new Map<string, { readonly value: string; readonly at: number }>()
  let end = at
  for (;;) {
    // Sticky, so that the name is looked for here and nowhere later.
    NAME.lastIndex = end
    const name = NAME.exec(line)?.[0] ?? ''
    const known = name.toLowerCase()
    if (known === 'cert-authority')
      return {
        at: end,
        message:
          'cert-authority is not supported: list the keys themselves, each for one principal',
      }
    if (!names.has(known))
      return {
        at: end,
        message: `"${visible(name || line.slice(end, end + 20))}" is neither a key type nor one of the options ${[...names].join(', ')}`,
      }
    if (values.has(known)) return { at: end, message: `${known} stands twice` }
    const opening = end + name.length + 1
    const closing = line.indexOf('"', opening + 1)
    const value = line.slice(opening + 1, closing)
    if (line.slice(opening - 1, opening + 1) !== '="' || closing < 0 || value.includes('\\'))
      return { at: opening - 1, message: `write ${known}="...", without backslashes` }
    values.set(known, { value, at: opening + 1 })
    end = closing + 1
    if (line[end] !== ',') break
    end++
  }
  return line[end] === ' ' || line[end] === '\t'
    ? interpreted(values, end)
    : { at: end, message: 'after an option comes a comma and another one, or a blank and the key' }
}

const NAME = /[A-Za-z-]{0,32}/y
const names = new Set(['namespaces', 'valid-after', 'valid-before'])

type Values = ReadonlyMap<string, { readonly value: string; readonly at: number }>

function interpreted(values: Values, end: number): OptionsReading {
  const namespaces = values.get('namespaces')
  const list = namespaces?.value.split(',')
  if (list?.some((namespace) => !/^[\x21-\x7e]{1,255}$/.test(namespace) || /[*?!]/.test(namespace)))
    return {
      at: namespaces?.at ?? 0,
      message: `namespaces="${visible(namespaces?.value ?? '')}" must be names with commas between them, such as git,vouchsafe-approval@v1; patterns are not supported`,
    }
  const [after, before] = [values.get('valid-after'), values.get('valid-before')]
  const [validAfter, validBefore] = [
    after && instantOf(after.value),
    before && instantOf(before.value),
  ]
  for (const [text, read] of [
    [after, validAfter],
    [before, validBefore],
  ] as const)
    if (text && !read)
      return {
        at: text.at,
        message: `"${visible(text.value)}" is no time: write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with a Z at the end`,
      }
  if (validAfter && validBefore && validBefore <= validAfter)
    return { at: before?.at ?? 0, message: 'valid-before is not later than valid-after' }
  return { options: { namespaces: list, validAfter, validBefore }, end }
}

/**
 * Without the Z OpenSSH reads the local time of whoever looks; here both forms are UTC, so that every verifier agrees.
 * Undefined for what is not in the calendar, which OpenSSH would carry over into the next month.
 */
function instantOf(text: string): Date | undefined {
  const [, year, month, day, hour = '00', minute = '00', second = '00'] =
    /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?Z?$/.exec(text) ?? []
  const written = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const at = new Date(written)
  // Before 1970 is an error to OpenSSH, and 0 means no limit there.
  return at.getTime() > 0 && at.toISOString() === written ? at : undefined
}
