/** Recorded quotes with the collateral of their day (`_triples/tNN`), judged under Intel's own root. */
import { readFileSync } from 'node:fs'
import { anchorSet } from '../../../src/pki/anchor.ts'
import { decodeCertificate } from '../../../src/pki/certificate.ts'
import { type Appraisal, verify } from '../../../src/rats/appraisal.ts'
import type { Finding, Waivers } from '../../../src/rats/check.ts'
import { type EndorsementParts, endorsements } from '../../../src/rats/endorsements.ts'
import type { Evidence } from '../../../src/rats/evidence.ts'
import { proofCache } from '../../../src/rats/proof-cache.ts'
import type { DcapReference } from '../../../src/rats/reference-values.ts'
import type { AnyTee } from '../../../src/rats/tee.ts'
import { partsOfCollateralJson } from '../../../src/tee/dcap/collateral-json.ts'
import { certificatesOfPem } from '../../../src/tee/dcap/pem.ts'
import { teeOf } from '../../../src/tee/registry.ts'
import { hasRecorded, recordedBytes } from '../../recorded.ts'

export interface Triple {
  readonly quote: Uint8Array
  readonly parts: EndorsementParts
  readonly at: Date
  readonly expected: Expected
}

/** Statuses by Intel's algorithm, computed apart from this code. */
interface Expected {
  /** Present: no TCB level supports the platform. */
  readonly err?: string
  readonly final?: string
  readonly sgx?: string
  readonly tdx?: string
  readonly module?: string | null
  readonly qe?: string
  readonly platform?: string
  readonly advisories?: readonly string[]
}

export const tripleIds = [
  ...['t09', 't10', 't12', 't13', 't14', 't15', 't17', 't18', 't19', 't20'],
  ...['t27', 't28', 't29', 't30', 't31', 't32', 't34', 't39', 't40', 't41', 't45'],
]
export const hasTriples = hasRecorded(...tripleIds.map((id) => `_triples/${id}/quote.bin`))

export function triple(id: string): Triple {
  const text = (file: string) =>
    Buffer.from(recordedBytes(`_triples/${id}/${file}`)).toString('utf8')
  const { now, expected }: { now: string; expected: Expected } = JSON.parse(text('meta.json'))
  return {
    quote: recordedBytes(`_triples/${id}/quote.bin`),
    parts: partsOfCollateralJson(text('collateral.json')),
    at: new Date(now),
    expected,
  }
}

export interface Judged {
  readonly evidence: Evidence
  readonly parts: EndorsementParts
  readonly at: Date
  readonly waivers?: Waivers
  readonly reference?: DcapReference
}

export function judge({ evidence, parts, at, waivers, reference }: Judged): Appraisal {
  const tee: AnyTee | undefined = teeOf(evidence.quote)
  if (!tee) throw new Error('no TEE recognises this quote')
  const conditions = {
    at,
    anchors: intelRoot,
    endorsements: endorsements(parts),
    waivers: waivers ?? new Map(),
    proofs: proofCache(16),
  }
  return verify(tee, evidence, conditions, reference ?? tee.noReference)
}

export function failures({ findings }: Appraisal): readonly string[] {
  return findings.filter(({ outcome }) => outcome === 'fail').map(({ id }) => id)
}

export function finding({ findings }: Appraisal, id: string): Finding {
  const found = findings.find((each) => each.id === id)
  if (!found) throw new Error(`no finding ${id}`)
  return found
}

const [rootDer = new Uint8Array()] = certificatesOfPem(
  readFileSync(new URL('../../../certs/intel/sgx-root-ca.pem', import.meta.url), 'utf8'),
  { path: 'sgx-root-ca.pem', most: 1 },
)
const intelRoot = anchorSet([
  { certificate: decodeCertificate(rootDer), product: undefined, assurance: 'hardware' },
])
