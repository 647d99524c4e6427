/**
 * Does this webhook come from somebody who knows the secret? Forges say it in two ways: an HMAC over the body as it was
 * sent (GitHub, Gitea, Forgejo), or the secret itself (GitLab). Neither says when, so a request that was overheard can be
 * sent again: what it brings about must be harmless.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { Problem } from '../problems.ts'

/** GitHub cuts its own off at 25 MB. The bytes are hashed as they come and never held. */
const LARGEST_BODY = 25 * 1024 * 1024

/** Reads the body where it must be hashed. Throws Problem for one that is too large or ends early. */
export async function isAuthentic(request: Request, secret: string): Promise<boolean> {
  const signature = request.headers.get('x-hub-signature-256')
  if (signature !== null) return await isSigned(request, signature, secret)
  const token = request.headers.get('x-gitlab-token')
  return token !== null && isSame(digestOf(token), digestOf(secret))
}

/** Headers first: nothing is hashed for somebody who does not even claim to know the secret. */
async function isSigned(request: Request, signature: string, secret: string): Promise<boolean> {
  const [, hex] = /^sha256=([0-9a-f]{64})$/.exec(signature) ?? []
  if (hex === undefined) return false
  const hmac = createHmac('sha256', secret)
  let size = 0
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length
      if (size > LARGEST_BODY)
        throw new Problem('body-too-large', `at most ${LARGEST_BODY} bytes are read`)
      hmac.update(chunk)
    }
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    throw new Problem('request-malformed', 'the body ended before it was whole', { cause })
  }
  return isSame(hmac.digest(), Buffer.from(hex, 'hex'))
}

/** Of equal length by construction: timingSafeEqual would throw otherwise. */
function isSame(a: Buffer, b: Buffer): boolean {
  return timingSafeEqual(a, b)
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
