/** How are documents of the issuer fetched? Over TLS, from the address that was named, so much and no more, and in time. */

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

const TIMEOUT_MS = 5_000

/**
 * https, or http to this machine; no user, query or fragment. Throws TypeError: addresses are configuration, or are held
 * against one that is.
 */
export function assertAddress(text: string, what: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || `${url.username}${url.password}` !== '' || /[?#]/.test(text) || text.endsWith('/'))
    throw new TypeError(
      `${what} must be an address without user, query and slash at the end, not ${text}`,
    )
  const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))
    throw new TypeError(
      `${what} must begin with https:// (http:// only to this machine), not ${text}`,
    )
}

/** Throws Error: whatever it was, there is no document. Redirects are not followed: they would lead to another address. */
export async function fetchBytes(
  url: string,
  {
    fetch,
    accept,
    mostBytes,
  }: { readonly fetch: Fetch; readonly accept: string; readonly mostBytes: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url, {
    headers: { accept },
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`${url} answered ${response.status}`)
  }
  return await readBounded(response.body, mostBytes)
}

/** Throws RangeError as soon as more has come. */
export async function readBounded(
  body: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array> | null,
  mostBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunksOf(body)) {
    size += chunk.length
    if (size > mostBytes) throw new RangeError(`more than ${mostBytes} bytes`)
    chunks.push(chunk)
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** Not every runtime iterates its streams. */
async function* chunksOf(
  body: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array> | null,
): AsyncGenerator<Uint8Array> {
  if (!body) return
  if (!('getReader' in body)) return yield* body
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    // What is left is not wanted; a stream that is over says nothing to this.
    await reader.cancel().catch(() => {})
  }
}
