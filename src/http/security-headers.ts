/** What surrounds every answer: its request id, and what a browser must not do with it. */

/** Nothing of ours is a page but /docs, which says so itself. */
const CONTENT_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'"
/** A year (RFC 6797), only where the service is reached over TLS. */
const STRICT_TRANSPORT_SECURITY = 'max-age=31536000'

/** Changes and returns `response`. What a route has said already stays. */
export function withHeaders(
  response: Response,
  { requestId, publicUrl }: { readonly requestId: string; readonly publicUrl: string },
): Response {
  const { headers } = response
  headers.set('x-request-id', requestId)
  headers.set('x-content-type-options', 'nosniff')
  headers.set('referrer-policy', 'no-referrer')
  if (publicUrl.startsWith('https:'))
    headers.set('strict-transport-security', STRICT_TRANSPORT_SECURITY)
  if (!headers.has('content-security-policy'))
    headers.set('content-security-policy', CONTENT_SECURITY_POLICY)
  // Nothing is kept by anybody unless it is said so.
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
  return response
}
