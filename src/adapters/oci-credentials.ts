/** How do we prove to a registry who we are? By a file, read when it is asked for; nothing of it reaches a log or another host. */
import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { isPrivate } from './oci-reference.ts'

export type OciCredentials =
  | { readonly kind: 'none' }
  /** `Authorization: Bearer <content of the file>`. */
  | { readonly kind: 'token'; readonly file: string }
  /** `auths` of a config.json as Docker, Podman and oras write it; helpers of other programs are not run. */
  | { readonly kind: 'docker'; readonly file: string }

const LARGEST_FILE = 1024 * 1024
/** A token has some thousand characters. */
const LARGEST_ANSWER = 64 * 1024

/** The value of `Authorization` for whoever `asked`, in the 401 that came from `origin`. Throws Problem. */
export async function authorizationFor(
  credentials: OciCredentials,
  origin: string,
  asked: string,
): Promise<string> {
  if (credentials.kind === 'token') return `Bearer ${(await read(credentials.file)).trim()}`
  const basic = credentials.kind === 'docker' ? await basicFor(credentials.file, origin) : undefined
  const [scheme = '', rest = ''] = asked.split(/ (.*)/s, 2)
  if (scheme.toLowerCase() === 'basic' && basic) return `Basic ${basic}`
  if (scheme.toLowerCase() !== 'bearer')
    throw new Problem(
      'registry-unusable',
      `${origin} wants ${scheme || 'no known'} authentication: give --registry-token-file or --docker-config`,
    )
  return `Bearer ${await exchanged(parametersOf(rest), basic)}`
}

/** The token service of the Distribution specification (docs/spec/auth/token.md). Its address comes from the registry. */
async function exchanged(
  { realm = '', service, scope }: Readonly<Record<string, string>>,
  basic: string | undefined,
): Promise<string> {
  const url = URL.canParse(realm) ? new URL(realm) : undefined
  if (!url || !isPrivate(url))
    throw new Problem('registry-unusable', 'its token service is not at an https address')
  if (service) url.searchParams.set('service', service)
  if (scope) url.searchParams.set('scope', scope)
  const { status, text } = await answerOf(url, basic).catch((cause: unknown) => {
    throw new Problem('registry-unusable', `${url.origin} gave no token`, { cause })
  })
  const answer = tokenAnswer.safeParse(jsonOf(text))
  const token = answer.data?.token ?? answer.data?.access_token
  if (status < 200 || status > 299 || !token)
    throw new Problem('registry-unusable', `${url.origin} answered ${status} and no token`)
  return token
}

/** Whoever answers was named by the registry, which is not believed: it may send without end, or stop. */
async function answerOf(url: URL, basic: string | undefined) {
  const response = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(30_000),
    headers: basic ? { authorization: `Basic ${basic}` } : {},
  })
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of response.body ?? []) {
    size += piece.length
    // Leaving the loop by a throw cancels the body.
    if (size > LARGEST_ANSWER) throw new RangeError(`it sent more than ${LARGEST_ANSWER} bytes`)
    pieces.push(piece)
  }
  return { status: response.status, text: Buffer.concat(pieces).toString('utf8') }
}

const tokenText = z.string().regex(/^[\x21-\x7e]{1,16384}$/)
const tokenAnswer = z.object({ token: tokenText.optional(), access_token: tokenText.optional() })
const dockerConfig = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).default({}),
})

async function basicFor(file: string, origin: string): Promise<string | undefined> {
  const parsed = dockerConfig.safeParse(jsonOf(await read(file)))
  if (!parsed.success)
    throw new Problem('model-unusable', `${file} is no config.json as Docker writes it`)
  const { host } = new URL(origin)
  return parsed.data.auths[host]?.auth ?? parsed.data.auths[origin]?.auth
}

/** RFC 9110 section 11.2: `realm="https://…",service="…"`. */
function parametersOf(text: string): Readonly<Record<string, string>> {
  const pairs = text.slice(0, 4096).matchAll(/([a-z_]+)="([^"\\]*)"/g)
  return Object.fromEntries([...pairs].map(([, name, value]) => [name, value]))
}

async function read(file: string): Promise<string> {
  try {
    if ((await stat(file)).size > LARGEST_FILE) throw new Error('it is too large')
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new Problem('model-unusable', `${file} cannot be read`, { cause })
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
