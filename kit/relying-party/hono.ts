/**
 * `vouchsafe/relying-party/hono`: middleware that lets attested agents through and nobody else.
 *
 *     app.use('/secrets/*', attested(party, { publicUrl: 'https://kms.example' }))
 *     app.get('/secrets/:name', (context) => context.json({ to: context.get('attested').claims.subject }))
 */
import type { MiddlewareHandler } from 'hono'
import { sha256 } from './base64url.ts'
import { readBounded } from './bounded-fetch.ts'
import type { RelyingParty } from './relying-party.ts'
import { type GuardOptions, MOST_BODY_BYTES, refusalAnswer, requestGuard } from './request-guard.ts'
import type { Accepted } from './verdict.ts'

export type { GuardOptions }

/** Handlers read the body afterwards as if nobody had. Throws TypeError for options that cannot be meant. */
export function attested(
  party: RelyingParty,
  options: GuardOptions,
): MiddlewareHandler<{ Variables: { attested: Accepted } }> {
  const guard = requestGuard(party, options)
  const { mostBodyBytes = MOST_BODY_BYTES } = options
  return async (context, next) => {
    const { req } = context
    const { raw } = req
    const verdict = await guard({
      method: raw.method,
      // A Request has an absolute address, whose path is as it came but for dot segments.
      target: raw.url.replace(/^[^:]+:\/\/[^/?]*/, ''),
      header: (name) => raw.headers.get(name) ?? undefined,
      async bodySha256() {
        if (!raw.body) return 'none'
        const bytes = await readBounded(raw.body, mostBodyBytes)
        req.raw = new Request(raw, { body: bytes })
        return bytes.length === 0 ? 'none' : await sha256(bytes)
      },
    })
    if (!verdict.accepted) {
      const { status, headers, body } = refusalAnswer(verdict, party)
      return new Response(body, { status, headers: { ...headers } })
    }
    context.set('attested', verdict)
    return await next()
  }
}
