/** Under which URLs does a tenant issue? Simulated evidence has one of its own, so that no token of it is one of production. */
import { type AnchorSet, takesSimulated } from '../pki/anchor.ts'
import type { Issuers } from './verifier.ts'

/** What the issuers of a tenant are called; the simulated one only where there is one. */
export function issuerNames(
  publicUrl: string,
  { name, anchors }: { readonly name: string; readonly anchors: AnchorSet },
): Issuers<{ readonly url: string }> {
  const { hardware, simulated } = issuerUrls(publicUrl, name)
  return {
    hardware: { url: hardware },
    simulated: takesSimulated(anchors) ? { url: simulated } : undefined,
  }
}

/** The tenant named `default` is at the public address itself, so that a service with one tenant needs no path. */
export function issuerUrls(
  publicUrl: string,
  tenant: string,
): { readonly hardware: string; readonly simulated: string } {
  const hardware = tenant === 'default' ? publicUrl : `${publicUrl}/t/${tenant}`
  return { hardware, simulated: `${hardware}/simulated` }
}
