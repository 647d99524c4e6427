/** Text for people at a terminal: what received bytes spelled must not steer it, and colour only where it is wanted. */

/**
 * Certificates and file names may hold any character, escape sequences and right-to-left marks included. Control and
 * format characters come out as `\u{1b}`.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
}

/** Cuts what no screen is wide enough for; the JSON form has the whole. */
export function shortened(text: string, most = 240): string {
  return text.length <= most
    ? text
    : `${text.slice(0, most)}... (${text.length} characters; --json prints all)`
}

export type Tone = 'good' | 'doubtful' | 'bad' | 'faint'
export type Paint = (tone: Tone, text: string) => string

const codes: Readonly<Record<Tone, string>> = {
  good: '1;32',
  doubtful: '1;33',
  bad: '1;31',
  faint: '2',
}

export const plain: Paint = (_, text) => text
export const coloured: Paint = (tone, text) => `\u001b[${codes[tone]}m${text}\u001b[0m`

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
