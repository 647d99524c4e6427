/** Where in which registry? `oci://registry.example/models/llama@sha256:…`: by digest alone, because a tag is whatever it is today. */
import { Problem } from '../problems.ts'
import { type Sha256, sha256Text } from '../seal/oms-root.ts'

export interface OciRepository {
  /** `https://registry.example`; plain HTTP to this machine alone. */
  readonly origin: string
  /** `models/llama` */
  readonly name: string
}

export interface OciReference extends OciRepository {
  readonly digest: Sha256
}

const SCHEME = 'oci://'
/** OCI Distribution Specification 1.1, "Pulling manifests"; a host, and a port where it is not 443. */
const FORM =
  /^(?<host>[a-z0-9][a-z0-9.-]{0,252}(?::[0-9]{1,5})?|\[[0-9a-f:]{2,39}\](?::[0-9]{1,5})?)\/(?<name>[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)(?<rest>[:@].*)?$/

export function isOci(text: string): boolean {
  return text.startsWith(SCHEME)
}

/** Throws Problem('model-unusable'): for a tag too. */
export function ociRepository(text: string): OciRepository {
  const { origin, name, rest } = parse(text)
  if (rest !== '')
    throw new Problem(
      'model-unusable',
      `${text} names ${rest}: leave it out, the digest is what comes out`,
    )
  return { origin, name }
}

/** Throws Problem('model-unusable'). */
export function ociReference(text: string): OciReference {
  const { origin, name, rest } = parse(text)
  const digest = rest.startsWith('@') ? sha256Text(rest.slice(1)) : undefined
  if (!digest)
    throw new Problem(
      'model-unusable',
      `${text} names no digest: end it with @sha256:<64 hex digits>, for a tag may be another model tomorrow`,
    )
  return { origin, name, digest }
}

function parse(text: string) {
  const found = isOci(text) ? FORM.exec(text.slice(SCHEME.length))?.groups : undefined
  const { host, name, rest = '' } = found ?? {}
  if (!host || !name || name.length > 255)
    throw new Problem('model-unusable', `${text} is no place such as oci://registry.example/models`)
  return { origin: `${isLoopback(host) ? 'http' : 'https'}://${host}`, name, rest }
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?$/.test(host)
}

/** Whether bytes may be sent there in clear: nobody listens between. */
export function isPrivate(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.host))
}
