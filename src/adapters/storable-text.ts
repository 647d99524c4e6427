/** Can texts that somebody sent be in the database at all? PostgreSQL fails a query over U+0000, which would read as one that is down. */
export function storable(...texts: readonly string[]): boolean {
  return !texts.some((text) => text.includes('\0'))
}
