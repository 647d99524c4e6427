/** What does a form say (WHATWG URL, section 5.1)? For the few requests that a standard wants in this form: every field once, and every value text. */
import { Problem } from '../problems.ts'

export function isForm(headers: Headers): boolean {
  const type = headers.get('content-type') ?? ''
  const encoding = headers.get('content-encoding') ?? 'identity'
  return (
    /^application\/x-www-form-urlencoded\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type) &&
    encoding.toLowerCase() === 'identity'
  )
}

/** Throws Problem('request-malformed'). Bytes that are no UTF-8 become U+FFFD, which no schema of ours takes. */
export function formOf(bytes: Uint8Array): Readonly<Record<string, string>> {
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(new TextDecoder().decode(bytes))) {
    // RFC 6749 section 3.2: two parsers would take different ones.
    if (fields.has(name))
      throw new Problem(
        'request-malformed',
        `the form has ${JSON.stringify(name.slice(0, 40))} twice`,
      )
    fields.set(name, value)
  }
  return Object.fromEntries(fields)
}
