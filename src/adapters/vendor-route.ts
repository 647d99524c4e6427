/** How one document is had from one vendor: the address, and how its answer is read. */

import { Problem } from '../problems.ts'
import type { EndorsementParts } from '../rats/endorsements.ts'
import type { FetchResponse } from '../service/endorsement-source.ts'

export interface VendorRoute {
  /** For people: `AMD KDS`. */
  readonly vendor: string
  readonly url: string
  readonly maxBytes: number
  /**
   * Of a response with status 200. Throws Malformed. The bytes decide what they are and not the Content-Type: vendors and
   * the caches in front of them label the same document differently.
   */
  readonly read: (response: FetchResponse) => EndorsementParts
}

export const LARGEST_CERTIFICATE_ANSWER = 16 * 1024
export const LARGEST_CRL_ANSWER = 4 * 1024 * 1024
export const LARGEST_JSON_ANSWER = 512 * 1024

/**
 * A base address out of the configuration, without its last slash. HTTPS, or HTTP to this very machine: over plain HTTP
 * anybody on the way could withhold a revocation. Throws Problem('configuration-invalid').
 */
export function baseAddress(setting: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isSafe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname))
  if (!url || !isSafe || url.username || url.password || url.search || url.hash)
    throw new Problem(
      'configuration-invalid',
      `${setting} is "${text}"; expected an https address (http only to this machine) without credentials, query or fragment`,
    )
  return url.href.replace(/\/$/, '')
}

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])
