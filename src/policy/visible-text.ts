/** How is text shown that an attacker wrote? On one line, at most 200 characters, with nothing that a terminal or a log would obey. */

export function visible(text: string): string {
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text
  return shown.replace(
    // Controls, formats (bidirectional overrides), line and paragraph separators, private use, lone surrogates.
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
}

const LONGEST = 200
