/** How does an agent show a relying party that a request is its own? With the token for that audience, and a proof by its key. */
import type { AgentKeys } from '../attestation.ts'
import { dpopProof } from './dpop.ts'
import type { FreshToken } from './fresh-token.ts'

export interface PartyRequest {
  readonly method: string
  /** Public address of what is asked for, without query. */
  readonly address: string
  /** As it is sent; absent where the request has none. */
  readonly body?: string
  /** base64url of SHA-256 over it, instead: for bodies that are bytes, or elsewhere. */
  readonly bodySha256?: string
  /** Of the token. Default: the one that the service itself takes. */
  readonly audience?: string
}

export async function partyHeaders(
  { audience, ...request }: PartyRequest,
  { keys, fresh }: { readonly keys: AgentKeys; readonly fresh: FreshToken },
): Promise<Readonly<Record<string, string>>> {
  const { tokens, possession } = await fresh.current()
  const found =
    audience === undefined || audience === possession.audience
      ? possession
      : tokens.find((each) => each.form === 'possession' && each.audience === audience)
  if (!found)
    throw new RangeError(`no token of possession for ${audience}: name it in otherAudiences`)
  const { token } = found
  const { proof } = await dpopProof(keys.sig, {
    ...request,
    token,
    atSeconds: fresh.serviceSeconds(),
  })
  return { authorization: `DPoP ${token}`, dpop: proof }
}
