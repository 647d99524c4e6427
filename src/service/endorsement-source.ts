/** Where do the vendors' endorsements come from? The ports behind which adapters fetch, hold and carry them. */
import type { EndorsementParts } from '../rats/endorsements.ts'
import type { EndorsementSubject } from './endorsement-subject.ts'

export interface FetchRequest {
  readonly url: string
  readonly timeoutMs: number
  /** A longer body is an error, found before it is read to the end. */
  readonly maxBytes: number
}

export interface FetchResponse {
  readonly status: number
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  readonly bytes: Uint8Array
}

/** GET, no more: redirects are answers and not followed. Rejects when no whole response came in time. */
export type Fetch = (request: FetchRequest) => Promise<FetchResponse>

export interface HeldEndorsement {
  readonly parts: EndorsementParts
  /** SHA-256 that names exactly these parts, hex. */
  readonly digest: string
  /** When the vendor made it: thisUpdate, issueDate, notBefore. */
  readonly issuedAt: Date
  /** When it was obtained. */
  readonly fetchedAt: Date
  /** nextUpdate, or the end of the earliest certificate. What is past it is handed out all the same: the checks call it stale. */
  readonly notAfter: Date
}

export interface EndorsementSource {
  /** What is held, or else fetched within the budget for callers nobody authenticated. Throws Problem('collateral-unavailable'). */
  readonly get: (subject: EndorsementSubject) => Promise<HeldEndorsement>
  /** Rises whenever a document takes the place of another: whoever passed by the old one may not pass by the new one. */
  readonly renewals: () => number
}

/** What an operator does with held endorsements: `vouchsafe collateral`. */
export interface EndorsementLibrary {
  /** From the vendor, whatever is held. Throws Problem('collateral-unavailable'). */
  readonly fetch: (subject: EndorsementSubject) => Promise<HeldEndorsement>
  /** Everything held as one signed file. `privateKey` is an Ed25519 key in PEM. Throws BundleRefused. */
  readonly exportBundle: (privateKey: string) => Promise<ExportedBundle>
  /** All of a bundle or nothing. Throws BundleRefused. */
  readonly importBundle: (request: ImportRequest) => Promise<ImportedBundle>
}

export interface BundleEntry {
  readonly subject: EndorsementSubject
  readonly issuedAt: Date
  readonly fetchedAt: Date
  readonly notAfter: Date
}

export interface ExportedBundle {
  readonly bytes: Uint8Array
  readonly entries: readonly BundleEntry[]
  /** SHA-256 of the signer's SubjectPublicKeyInfo, hex. */
  readonly signer: string
}

interface ImportRequest {
  readonly bytes: Uint8Array
  /** The one signer that is accepted, Ed25519 in PEM. Nothing in the bundle has a say in it. */
  readonly publicKey: string
  /** Otherwise an entry issued before the one that is held refuses the bundle: somebody may be hiding a revocation. */
  readonly olderIsAllowed: boolean
}

interface ImportedBundle {
  readonly created: Date
  readonly entries: readonly BundleEntry[]
  readonly signer: string
}

/** The bundle, or the key it was to be read or written with, is not acceptable. The message says what was found and expected. */
export class BundleRefused extends Error {
  override readonly name = 'BundleRefused'
}
