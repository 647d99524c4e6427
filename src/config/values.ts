/** The kinds of value that settings take, each with the sentence that is told when it is something else. */
import { z } from 'zod'

export const flag = z
  .union([z.boolean(), z.literal('true'), z.literal('false')], 'must be true or false')
  .transform((value) => value === true || value === 'true')
/** From the most that is told to the least. */
const logLevels = ['info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]
export const logLevel = z.enum(logLevels, 'must be info, warn or error')
export const path = z.string('must be a path').min(1, 'must be a path')
export const hostName = z.string('must be a name or address').min(1, 'must be a name')
export const tenantName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be lower-case letters, digits and hyphens')
export const address = z.string('must be an address').refine(isSafeAddress, {
  message: 'must be an https address (http only to this machine) without credentials or query',
})
export const origin = address
  .transform((text) => new URL(text))
  .refine(({ pathname }) => pathname === '/', 'must have no path')
  .transform((url) => url.origin)
export const port = wholeNumber('must be a port').refine(
  (number) => number >= 0 && number <= 65535,
  'must be 0 to 65535',
)

/** As a number, or in digits as a variable holds it. */
export function wholeNumber(message: string) {
  const digits = z
    .string()
    .regex(/^\d{1,5}$/)
    .transform(Number)
  return z.union([z.int(), digits], message)
}

/** What goes over plain HTTP to another machine can be read and changed on the way. */
function isSafeAddress(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  const { protocol, username, password, search, hash } = url
  return (
    (protocol === 'https:' || (protocol === 'http:' && isLoopback(url))) &&
    [username, password, search, hash].every((part) => part === '')
  )
}

export function isLoopback({ hostname }: URL): boolean {
  return ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
}
