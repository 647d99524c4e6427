/**
 * AMD's Key Distribution Service: AMD 57230 "Versioned Chip Endorsement Key (VCEK) Certificate and KDS Interface
 * Specification" rev. 0.51, section 4. Everything in an address is a checked subject; nothing is followed from a
 * certificate's own distribution points. KDS issues VCEKs to anybody and VLEKs only to the cloud that owns them.
 */
import { noParts } from '../rats/endorsements.ts'
import { type AmdSubject, nameOf, tcbOfName } from '../service/endorsement-subject.ts'
import { certificatesOfPem } from '../tee/dcap/pem.ts'
import type { TcbComponent } from '../tee/sev-snp/product.ts'
import type { Tcb } from '../tee/sev-snp/tcb.ts'
import {
  baseAddress,
  LARGEST_CERTIFICATE_ANSWER,
  LARGEST_CRL_ANSWER,
  type VendorRoute,
} from './vendor-route.ts'

export interface AmdKdsSettings {
  /** `https://kdsintf.amd.com`, or a mirror with the same paths. */
  readonly base: string
}

export type AmdKds = (subject: AmdSubject) => VendorRoute

/** Throws Problem('configuration-invalid'). */
export function amdKds(settings: AmdKdsSettings): AmdKds {
  const base = baseAddress('the address of AMD KDS', settings.base)
  return (subject) => {
    // Refuses whatever is not exactly a subject, before any of it stands in an address.
    nameOf(subject)
    return { vendor: 'AMD KDS', ...routeOf(base, subject) }
  }
}

function routeOf(base: string, subject: AmdSubject): Omit<VendorRoute, 'vendor'> {
  switch (subject.document) {
    case 'amd-cert-chain':
      return {
        url: `${base}/${subject.key}/v1/${subject.product}/cert_chain`,
        maxBytes: LARGEST_CERTIFICATE_ANSWER,
        read: ({ bytes }) => ({ ...noParts, certificates: chainOf(bytes) }),
      }
    case 'amd-crl':
      return {
        url: `${base}/${subject.key}/v1/${subject.product}/crl`,
        maxBytes: LARGEST_CRL_ANSWER,
        read: ({ bytes }) => ({ ...noParts, crls: [bytes] }),
      }
    case 'amd-vcek': {
      const { product, chipId, tcb } = subject
      return {
        url: `${base}/vcek/v1/${product}/${chipId}?${parametersOf(tcbOfName(product, tcb) ?? {})}`,
        maxBytes: LARGEST_CERTIFICATE_ANSWER,
        read: ({ bytes }) => ({ ...noParts, certificates: [bytes] }),
      }
    }
  }
}

/** In the order of the specification's example. Decimal; two digits at least, as AMD writes them. */
const parameters: readonly (readonly [TcbComponent, string])[] = [
  ['fmc', 'fmcSPL'],
  ['bootloader', 'blSPL'],
  ['tee', 'teeSPL'],
  ['snp', 'snpSPL'],
  ['microcode', 'ucodeSPL'],
]

function parametersOf(tcb: Tcb): string {
  return parameters
    .filter(([component]) => tcb[component] !== undefined)
    .map(([component, name]) => `${name}=${String(tcb[component]).padStart(2, '0')}`)
    .join('&')
}

/** PEM: ASK or ASVK, then ARK. The root is as little believed as the rest; anchors are pinned. */
function chainOf(bytes: Uint8Array): readonly Uint8Array[] {
  return certificatesOfPem(Buffer.from(bytes).toString('latin1'), { path: 'cert_chain', most: 2 })
}
