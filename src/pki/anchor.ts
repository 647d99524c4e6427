/**
 * Trust anchors: the only certificates believed without a signature. Everything else a caller supplies is a candidate.
 * Simulation is a root of trust and not another format: a simulated anchor says so here, and whatever chains to it
 * stays contraindicated (design, section 2).
 */
import { createHash } from 'node:crypto'
import type { Certificate } from './certificate.ts'

export interface Anchor {
  readonly certificate: Certificate
  /** The product line whose keys this root endorses (`Milan`), where the vendor keeps a root per product; else undefined. */
  readonly product: string | undefined
  readonly assurance: 'hardware' | 'simulated'
}

export interface AnchorSet {
  readonly anchors: readonly Anchor[]
  /** Published intermediates (ASK, ASVK), already decoded: candidates like any other, so nobody has to send them along. */
  readonly intermediates: readonly Certificate[]
  /** Names the set in cache keys, so that no proof made under one tenant's roots serves another's. */
  readonly digest: string
}

/** Whether a tenant takes simulated evidence is a property of its anchors and of nothing else. */
export function takesSimulated({ anchors }: AnchorSet): boolean {
  return anchors.some(({ assurance }) => assurance === 'simulated')
}

/** An empty set is allowed and trusts nothing. */
export function anchorSet(
  anchors: readonly Anchor[],
  intermediates: readonly Certificate[] = [],
): AnchorSet {
  const hash = createHash('sha256')
  for (const { certificate, product, assurance } of anchors)
    hash.update(`${certificate.sha256}:${product ?? ''}:${assurance}\n`)
  for (const { sha256 } of intermediates) hash.update(`intermediate:${sha256}\n`)
  return { anchors, intermediates, digest: hash.digest('hex') }
}
