/** Can texts that somebody sent be in the database at all? PostgreSQL fails a query over U+0000, which would read as one that is down. */
export function storable(...texts: readonly string[]): boolean {
  return !texts.some((text) => text.includes('\0'))
}

/** For what must be kept whatever it quotes: who can name a file so that its refusal is not stored was not refused. */
export function madeStorable(text: string): string {
  return text.replaceAll('\0', '\\u0000')
}
