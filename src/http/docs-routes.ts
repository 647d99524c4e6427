/** The contract as a page that can be read and tried out: /docs, which needs nothing but this service. */
import { DOCS_SECURITY_POLICY, type DocsFile, docsFiles } from './docs-page.ts'
import type { Route } from './route.ts'

/** They change with the version of this program only, and are asked for again by their digest. */
const CACHE = 'public, max-age=300'

/** No part of the contract: what it shows is. */
export const docsRoutes: readonly Route[] = [...docsFiles].map(([path, read]) => ({
  method: 'GET',
  path,
  summary: 'The contract as a page',
  response: undefined,
  problems: [],
  answer: async ({ request }) => answerWith(request, await read()),
}))

function answerWith({ headers }: Request, { type, bytes, gzipped, etag }: DocsFile): Response {
  const about = {
    etag,
    'cache-control': CACHE,
    'content-security-policy': DOCS_SECURITY_POLICY,
    'cross-origin-opener-policy': 'same-origin',
    vary: 'accept-encoding',
  }
  const known = (headers.get('if-none-match') ?? '').split(',').map((tag) => tag.trim())
  if (known.includes(etag) || known.includes(`W/${etag}`))
    return new Response(null, { status: 304, headers: about })
  const isGzipped = takesGzip(headers.get('accept-encoding') ?? '')
  return new Response(new Uint8Array(isGzipped ? gzipped : bytes), {
    headers: { ...about, 'content-type': type, ...(isGzipped && { 'content-encoding': 'gzip' }) },
  })
}

/** RFC 9110 section 12.5.3. Split first: one expression over a whole header of 16 KiB would be tried from each of its places. */
function takesGzip(accepted: string): boolean {
  return accepted.split(',').some((each) => {
    const [coding, quality = 'q=1'] = each.split(';', 2).map((part) => part.trim().toLowerCase())
    return coding === 'gzip' && /^q=[01](\.\d{0,3})?$/.test(quality) && Number(quality.slice(2)) > 0
  })
}
