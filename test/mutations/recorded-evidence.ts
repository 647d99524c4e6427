/** Every recorded report and quote with what authenticates it: what the byte sweeps and the negative cases start from. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { anchorSet } from '../../src/pki/anchor.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { type Appraisal, verify } from '../../src/rats/appraisal.ts'
import { type EndorsementParts, endorsements, noParts } from '../../src/rats/endorsements.ts'
import { proofCache } from '../../src/rats/proof-cache.ts'
import type { AnyTee } from '../../src/rats/tee.ts'
import { partsOfCollateralJson } from '../../src/tee/dcap/collateral-json.ts'
import { sgx } from '../../src/tee/dcap/sgx.ts'
import { tdx } from '../../src/tee/dcap/tdx.ts'
import { sevSnp } from '../../src/tee/sev-snp/sev-snp.ts'
import { recordedBytes } from '../recorded.ts'

export interface Recorded {
  readonly name: string
  readonly tee: AnyTee
  readonly files: readonly string[]
  readonly at: Date
  /** The named profile under which the machine's known quirks are waived; all else that is wrong with it still refuses it. */
  readonly profile?: string
}

const snp = (name: string, vek: 'vcek' | 'vlek', at: string, profile?: string): Recorded => ({
  name,
  tee: sevSnp,
  files: [`${name}.report.bin`, `${name}.${vek}.der`],
  at: new Date(at),
  ...(profile && { profile }),
})

export const reports: readonly Recorded[] = [
  snp(
    'automata-network+amd-sev-snp-attestation-sdk/automata-milan-v2',
    'vcek',
    '2025-09-01T00:00:00Z',
  ),
  snp('confidential-containers+trustee/azure-genoa-v3', 'vcek', '2025-09-01T00:00:00Z'),
  snp('confidential-containers+trustee/azure-milan-v3', 'vcek', '2025-09-01T00:00:00Z'),
  snp('confidential-containers+trustee/milan-v3-vlek-vmpl1', 'vlek', '2025-09-01T00:00:00Z', 'aws'),
  snp('google+go-sev-guest/milan-v2-debug', 'vcek', '2025-09-01T00:00:00Z'),
  snp('project-oak+oak/genoa-v5', 'vcek', '2025-09-01T00:00:00Z'),
  snp('project-oak+oak/oak-milan-oc-release-v3', 'vcek', '2025-09-01T00:00:00Z'),
  snp('project-oak+oak/oak-milan-rk-staging-v3', 'vcek', '2025-09-01T00:00:00Z'),
  snp('virtee+sev/milan-v2', 'vcek', '2025-09-01T00:00:00Z'),
]

const triple = (id: string, tee: AnyTee, at: string): Recorded => ({
  name: id,
  tee,
  files: [`_triples/${id}/quote.bin`, `_triples/${id}/collateral.json`],
  at: new Date(at),
})

/** One triple for every distinct quote that authenticates. */
export const quotes: readonly Recorded[] = [
  triple('t09', tdx, '2025-07-04T10:16:31Z'),
  triple('t10', sgx, '2025-07-04T10:28:44Z'),
  triple('t12', tdx, '2025-07-04T10:16:31Z'),
  triple('t13', tdx, '2026-03-05T10:50:03Z'),
  triple('t17', sgx, '2025-09-08T05:50:18Z'),
  triple('t20', tdx, '2025-06-27T07:08:06Z'),
  triple('t27', tdx, '2025-07-13T09:33:39Z'),
  triple('t30', tdx, '2025-07-13T09:33:39Z'),
  triple('t34', tdx, '2023-06-28T08:03:58Z'),
  triple('t39', tdx, '2025-07-13T09:33:39Z'),
  triple('t45', tdx, '2023-06-28T08:03:58Z'),
]

export interface Judged {
  readonly quote?: Uint8Array
  readonly parts?: Partial<EndorsementParts>
  readonly at?: Date
  readonly reference?: unknown
}

/** A judge of one recorded evidence, in which any part can be replaced. Proofs are kept between calls, as in the service. */
export function judgeOf(recorded: Recorded): (replaced?: Judged) => Appraisal {
  const [quoteFile = '', endorsementFile = ''] = recorded.files
  const quote = recordedBytes(quoteFile)
  const own = endorsementFile.endsWith('.json')
    ? partsOfCollateralJson(Buffer.from(recordedBytes(endorsementFile)).toString('utf8'))
    : { ...noParts, certificates: [recordedBytes(endorsementFile)] }
  const proofs = proofCache(64)
  const supplied = endorsements(own)
  const waivers = new Map([
    ...(recorded.tee.profiles[recorded.profile ?? 'strict'] ?? []),
    // No AMD list was ever recorded. Intel's lists are, and must do without.
    ...(recorded.tee === sevSnp ? [['revocation', 'no AMD CRL was recorded'] as const] : []),
  ])
  return (replaced = {}) =>
    verify(
      recorded.tee,
      { quote: replaced.quote ?? quote },
      {
        at: replaced.at ?? recorded.at,
        anchors: vendorAnchors,
        endorsements: replaced.parts ? endorsements({ ...own, ...replaced.parts }) : supplied,
        waivers,
        proofs,
      },
      replaced.reference ?? recorded.tee.noReference,
    )
}

const certs = join(import.meta.dirname, '../../certs')
const certificate = (file: string) =>
  decodeCertificate(
    new Uint8Array(
      Buffer.from(
        readFileSync(join(certs, file), 'utf8').replace(/-----[^-]+-----|\s/g, ''),
        'base64',
      ),
    ),
  )
const products = ['Milan', 'Genoa', 'Turin']

export const vendorAnchors = anchorSet(
  [
    ...products.map((product) => ({
      certificate: certificate(`amd/ark-${product.toLowerCase()}.pem`),
      product,
      assurance: 'hardware' as const,
    })),
    {
      certificate: certificate('intel/sgx-root-ca.pem'),
      product: undefined,
      assurance: 'hardware',
    },
  ],
  products.flatMap((product) =>
    ['ask', 'asvk'].map((role) => certificate(`amd/${role}-${product.toLowerCase()}.pem`)),
  ),
)
