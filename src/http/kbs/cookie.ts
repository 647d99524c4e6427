/** The cookie by which a stock client names its handshake: its client keeps cookies as browsers do. */
import type { BrokerSession } from '../../service/release-ports.ts'

const NAME = 'kbs-session-id'

/** Undefined where there is none of the form that this service gives out; of two, neither counts. */
export function sessionIn(headers: Headers): string | undefined {
  const values = (headers.get('cookie') ?? '')
    .split(';')
    .flatMap((pair) => /^\s*kbs-session-id=([0-9a-f]{32})\s*$/.exec(pair)?.[1] ?? [])
  return values.length === 1 ? values[0] : undefined
}

/**
 * `path`: below which the protocol is spoken. Secure only over TLS: a client would not send it back otherwise. No script and
 * no other site has any business with it.
 */
export function cookieOf(
  { id, expiresAt, attested }: BrokerSession,
  { path, publicUrl }: { readonly path: string; readonly publicUrl: string },
): string {
  const end = attested?.expiresAt ?? expiresAt
  return [
    `${NAME}=${id}`,
    `Path=${path}`,
    `Expires=${end.toUTCString()}`,
    'HttpOnly',
    'SameSite=Strict',
    ...(publicUrl.startsWith('https:') ? ['Secure'] : []),
  ].join('; ')
}
