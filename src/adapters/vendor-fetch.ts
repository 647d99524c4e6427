/** GET over the network, bounded in time and size. Redirects come back as answers: only configuration names addresses. */
import type { Fetch, FetchRequest } from '../service/endorsement-source.ts'

/** An honest product name lets a vendor tell us what we do wrong before it blocks us. */
const USER_AGENT = 'vouchsafe'

export const vendorFetch: Fetch = async (request) => {
  // The signal covers the body too: a server that sends one byte a minute is a server that does not answer.
  const response = await fetch(request.url, {
    redirect: 'manual',
    signal: AbortSignal.timeout(request.timeoutMs),
    headers: { 'user-agent': USER_AGENT, 'accept-encoding': 'identity' },
  })
  const headers = new Map([...response.headers].map(([name, value]) => [name.toLowerCase(), value]))
  return { status: response.status, headers, bytes: await readBounded(response, request) }
}

async function readBounded({ body }: Response, { maxBytes }: FetchRequest): Promise<Uint8Array> {
  if (!body) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let size = 0
  // Leaving the loop by a throw cancels the rest of the body. Content-Length is not consulted: it is only a claim.
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBytes) throw new RangeError(`the body is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

/** For sites that reach no vendor: every document comes out of a bundle. */
export const noFetch: Fetch = () =>
  Promise.reject(new Error('this site is configured to ask no vendor; import a bundle'))
