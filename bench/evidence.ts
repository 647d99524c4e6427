/** The real evidence that is measured: recorded hardware reports and quotes, with the endorsements of their day. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type dcapQvl from '@phala/dcap-qvl'
import { type AnchorSet, anchorSet } from '../src/pki/anchor.ts'
import { decodeCertificate } from '../src/pki/certificate.ts'
import { endorsements } from '../src/rats/endorsements.ts'
import type { Evidence } from '../src/rats/evidence.ts'
import type { AnyTee } from '../src/rats/tee.ts'
import { partsOfCollateralJson } from '../src/tee/dcap/collateral-json.ts'
import { sgx } from '../src/tee/dcap/sgx.ts'
import { tdx } from '../src/tee/dcap/tdx.ts'
import { sevSnp } from '../src/tee/sev-snp/sev-snp.ts'
import { recordedBytes } from '../test/recorded.ts'

export interface Sample {
  readonly tee: AnyTee
  readonly evidence: Evidence
  readonly endorsements: ReturnType<typeof endorsements>
  readonly anchors: AnchorSet
  readonly at: Date
  /** The collateral as the peer takes it. */
  readonly collateral?: Parameters<typeof dcapQvl.verify>[1]
}

export function genoaReport(): Sample {
  return {
    tee: sevSnp,
    evidence: { quote: recordedBytes('project-oak+oak/genoa-v5.report.bin') },
    endorsements: endorsements({
      certificates: [recordedBytes('project-oak+oak/genoa-v5.vcek.der')],
    }),
    anchors: anchorSet(
      [{ certificate: certificate('amd/ark-genoa.pem'), product: 'Genoa', assurance: 'hardware' }],
      [certificate('amd/ask-genoa.pem')],
    ),
    at: new Date('2025-10-01T00:00:00Z'),
  }
}

export function tdxQuote(): Sample {
  return { tee: tdx, ...triple('t12', '2025-07-04T10:16:31Z') }
}

export function sgxQuote(): Sample {
  return { tee: sgx, ...triple('t10', '2025-07-04T10:28:44Z') }
}

function triple(id: string, at: string): Omit<Sample, 'tee'> {
  const text = Buffer.from(recordedBytes(`_triples/${id}/collateral.json`)).toString('utf8')
  return {
    evidence: { quote: recordedBytes(`_triples/${id}/quote.bin`) },
    endorsements: endorsements(partsOfCollateralJson(text)),
    anchors: anchorSet([
      {
        certificate: certificate('intel/sgx-root-ca.pem'),
        product: undefined,
        assurance: 'hardware',
      },
    ]),
    at: new Date(at),
    collateral: JSON.parse(text),
  }
}

function certificate(file: string) {
  const pem = readFileSync(join(import.meta.dirname, '../certs', file), 'utf8')
  return decodeCertificate(
    new Uint8Array(Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')),
  )
}
