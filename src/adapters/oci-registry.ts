/**
 * The part of the OCI Distribution Specification 1.1 that sealed models need: blobs and manifests, in and out, by digest. A registry
 * is not believed: what is read whole is hashed before it is looked at, and every length is bounded.
 */
import { Problem } from '../problems.ts'
import { type Sha256, sha256Of } from '../seal/oms-root.ts'
import { authorizationFor, type OciCredentials } from './oci-credentials.ts'
import { isPrivate, type OciRepository } from './oci-reference.ts'

/** Bytes of one PATCH. Some registries take no more than 16 MiB at once. */
const UPLOAD_BYTES = 16 * 1024 * 1024
/** Until the headers of an answer are there, and between two pieces of a body. */
const PATIENCE_MS = 60_000
const MOST_REDIRECTS = 3

export interface OciRegistry {
  readonly hasBlob: (digest: Sha256) => Promise<boolean>
  /** `pieces`: of at most 16 MiB each. */
  readonly putBlob: (digest: Sha256, pieces: AsyncIterable<Uint8Array>) => Promise<void>
  /** By its digest, which is what it resolves to. */
  readonly putManifest: (mediaType: string, bytes: Uint8Array) => Promise<Sha256>
  /** Hashed, whole. */
  readonly manifest: (digest: Sha256, mediaType: string, most: number) => Promise<Uint8Array>
  readonly smallBlob: (digest: Sha256, most: number) => Promise<Uint8Array>
  /** As it comes, which may be anything: what is in it must say for itself that it is right. */
  readonly blob: (digest: Sha256) => Promise<AsyncIterable<Uint8Array>>
}

interface Request {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer>
}

interface Received {
  readonly status: number
  readonly headers: Headers
  /** Of what `AbortSignal` guards. */
  readonly body: AsyncIterable<Uint8Array>
  /** Lets go of the connection where the body is of no interest. */
  readonly dismiss: () => Promise<void>
}

/** Every function throws Problem('registry-unusable'). */
export function ociRegistry(
  { origin, name }: OciRepository,
  credentials: OciCredentials,
): OciRegistry {
  const base = `${origin}/v2/${name}`
  let authorization: string | undefined

  /** Follows what a registry says about where its blobs lie; our credentials stay with the registry. */
  async function ask(address: string, request: Request): Promise<Received> {
    let url = new URL(address)
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const received = await send(url, request)
      const location = received.headers.get('location')
      const moved = [301, 302, 303, 307, 308].includes(received.status)
      if (!(moved && location && request.method === 'GET')) return received
      await received.dismiss()
      url = new URL(location, url)
      if (!isPrivate(url)) throw unusable(`${origin} leads to ${url.origin}, which is not https`)
    }
    throw unusable(`${origin} redirects more than ${MOST_REDIRECTS} times`)
  }

  async function send(url: URL, request: Request): Promise<Received> {
    const own = url.origin === origin
    const first = await sendOnce(url, request, own ? authorization : undefined)
    const asked = first.headers.get('www-authenticate')
    if (first.status !== 401 || !own || !asked) return first
    await first.dismiss()
    authorization = await authorizationFor(credentials, origin, asked)
    return await sendOnce(url, request, authorization)
  }

  async function expected(
    received: Received,
    statuses: readonly number[],
    what: string,
  ): Promise<Received> {
    if (statuses.includes(received.status)) return received
    await received.dismiss()
    throw unusable(`${origin} answered ${received.status} when ${what}`)
  }

  /** OCI Distribution Specification 1.1: the answer says where to go on. */
  function nextOf(received: Received): string {
    const location = received.headers.get('location')
    const url = location ? new URL(location, base) : undefined
    if (url?.origin !== origin) throw unusable(`${origin} says of no upload where it goes on`)
    return url.href
  }

  async function whole(received: Received, digest: Sha256, most: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    let size = 0
    for await (const piece of received.body) {
      size += piece.length
      if (size > most) throw unusable(`${origin} sent more than ${most} bytes for ${digest}`)
      pieces.push(piece)
    }
    const bytes = new Uint8Array(Buffer.concat(pieces))
    const observed = sha256Of(bytes)
    if (observed !== digest) throw unusable(`${origin} sent ${observed} for ${digest}`)
    return bytes
  }

  const blob = async (digest: Sha256) =>
    await expected(
      await ask(`${base}/blobs/${digest}`, { method: 'GET' }),
      [200],
      'asked for a blob',
    )

  return {
    async hasBlob(digest) {
      const received = await ask(`${base}/blobs/${digest}`, { method: 'HEAD' })
      await received.dismiss()
      return received.status === 200
    },
    async putBlob(digest, pieces) {
      const begun = await ask(`${base}/blobs/uploads/`, { method: 'POST' })
      let next = nextOf(await expected(begun, [202], 'an upload was begun'))
      await begun.dismiss()
      let sent = 0
      for await (const piece of pieces)
        for (let from = 0; from < piece.length; from += UPLOAD_BYTES) {
          const body = new Uint8Array(piece.subarray(from, from + UPLOAD_BYTES))
          const received = await ask(next, {
            method: 'PATCH',
            headers: {
              'content-type': 'application/octet-stream',
              'content-range': `${sent}-${sent + body.length - 1}`,
            },
            body,
          })
          next = nextOf(await expected(received, [202], 'a part of a blob was sent'))
          await received.dismiss()
          sent += body.length
        }
      const end = new URL(next)
      end.searchParams.set('digest', digest)
      const ended = await ask(end.href, { method: 'PUT' })
      await (await expected(ended, [201], 'a blob was ended')).dismiss()
    },
    async putManifest(mediaType, bytes) {
      const digest = sha256Of(bytes)
      const received = await ask(`${base}/manifests/${digest}`, {
        method: 'PUT',
        headers: { 'content-type': mediaType },
        body: new Uint8Array(bytes),
      })
      await (await expected(received, [201], 'the manifest was sent')).dismiss()
      return digest
    },
    async manifest(digest, mediaType, most) {
      const headers = { accept: mediaType }
      const received = await ask(`${base}/manifests/${digest}`, { method: 'GET', headers })
      return await whole(await expected(received, [200], 'asked for the manifest'), digest, most)
    },
    smallBlob: async (digest, most) => await whole(await blob(digest), digest, most),
    blob: async (digest) => (await blob(digest)).body,
  }
}

async function sendOnce(
  url: URL,
  { method, headers = {}, body }: Request,
  authorization: string | undefined,
): Promise<Received> {
  const stop = new AbortController()
  let timer = setTimeout(() => stop.abort(), PATIENCE_MS)
  const patience = () => {
    clearTimeout(timer)
    timer = setTimeout(() => stop.abort(), PATIENCE_MS)
  }
  try {
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      signal: stop.signal,
      headers: {
        ...headers,
        // Bytes are what the digest goes over.
        'accept-encoding': 'identity',
        ...(authorization ? { authorization } : {}),
      },
      ...(body ? { body } : {}),
    })
    return {
      status: response.status,
      headers: response.headers,
      body: pieces(response, { patience, end: () => clearTimeout(timer) }),
      async dismiss() {
        clearTimeout(timer)
        await response.body?.cancel()
      },
    }
  } catch (cause) {
    clearTimeout(timer)
    throw unusable(`${url.origin} cannot be asked`, cause)
  }
}

async function* pieces(
  response: Response,
  { patience, end }: { readonly patience: () => void; readonly end: () => void },
): AsyncGenerator<Uint8Array> {
  try {
    if (!response.body) return
    for await (const piece of response.body) {
      patience()
      yield piece
    }
  } catch (cause) {
    throw unusable(`${new URL(response.url).origin} stopped in the middle of an answer`, cause)
  } finally {
    end()
  }
}

function unusable(detail: string, cause?: unknown): Problem {
  return new Problem('registry-unusable', detail, { cause })
}
