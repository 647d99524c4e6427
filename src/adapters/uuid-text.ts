/**
 * Can a text be the id of an appraisal at all? PostgreSQL fails a whole query over one that is no uuid, which would read as a
 * database that is down; and takes other spellings of one for the same, which no other store does.
 */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}
