/** What /docs consists of: one page, the published program that shows the contract on it, and how that is started. All of it from here. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

export interface DocsFile {
  readonly type: string
  readonly bytes: Uint8Array
  readonly gzipped: Uint8Array
  readonly etag: string
}

/**
 * No script and no style but those of this origin, and none within the page: whatever the contract's texts say, a browser
 * runs none of it, and asks nobody else for anything.
 */
export const DOCS_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Vouchsafe API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <link rel="stylesheet" href="/docs/page.css">
  </head>
  <body>
    <noscript>This page needs JavaScript; the contract itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
    <div id="contract"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`

/** `validatorUrl` none: the contract is sent to nobody. Tokens typed in are kept in the page and end with it. */
const start = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#contract',
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  queryConfigEnabled: false,
  validatorUrl: null,
  withCredentials: false,
})
`

const pageStyle = `body { margin: 0; background: #fff; }
#contract { max-width: 1460px; margin: 0 auto; }
noscript { display: block; padding: 2rem; font-family: sans-serif; }
`

const HTML = 'text/html; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'

/** By path; each is read when it is asked for first, and then held. */
export const docsFiles: ReadonlyMap<string, () => Promise<DocsFile>> = new Map([
  ['/docs', once(HTML, async () => Buffer.from(page))],
  ['/docs/start.js', once(SCRIPT, async () => Buffer.from(start))],
  ['/docs/page.css', once(STYLE, async () => Buffer.from(pageStyle))],
  [
    '/docs/swagger-ui-bundle.js',
    once(SCRIPT, () => published(import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js'))),
  ],
  [
    '/docs/swagger-ui.css',
    once(STYLE, () => published(import.meta.resolve('swagger-ui-dist/swagger-ui.css'))),
  ],
])

async function published(address: string): Promise<Uint8Array> {
  return await readFile(new URL(address))
}

function once(type: string, read: () => Promise<Uint8Array>): () => Promise<DocsFile> {
  let held: Promise<DocsFile> | undefined
  return async () => {
    held ??= fileOf(type, read)
    try {
      return await held
    } catch (cause) {
      held = undefined
      throw cause
    }
  }
}

async function fileOf(type: string, read: () => Promise<Uint8Array>): Promise<DocsFile> {
  const bytes = await read()
  return {
    type,
    bytes,
    gzipped: await promisify(gzip)(bytes),
    etag: `"${createHash('sha256').update(bytes).digest('base64url')}"`,
  }
}
