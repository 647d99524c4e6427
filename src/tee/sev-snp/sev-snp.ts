/** The AMD SEV-SNP family: everything that the house knows about it, gathered in one value. */
import type { SnpReference } from '../../rats/reference-values.ts'
import { defineTee, type Expectation } from '../../rats/tee.ts'
import { authenticityChecks } from './authenticity-checks.ts'
import { claimSchema } from './claim-schema.ts'
import { claims, inspect } from './claims.ts'
import { configurationChecks } from './configuration-checks.ts'
import { endorse, type SnpEndorsement, slowSignature } from './endorse.ts'
import { decodeEvidence, type SnpEvidence, structure } from './evidence.ts'
import { identify } from './identify.ts'
import { referenceChecks } from './reference-checks.ts'
import { tcbChecks } from './tcb-checks.ts'

const expectations: Readonly<Record<string, Expectation<SnpReference>>> = {
  measurement: { size: 48, apply: (reference, measurement) => ({ ...reference, measurement }) },
  hostData: { size: 32, apply: (reference, hostData) => ({ ...reference, hostData }) },
  reportData: { size: 64, apply: (reference, reportData) => ({ ...reference, reportData }) },
  familyId: { size: 16, apply: (reference, familyId) => ({ ...reference, familyId }) },
  imageId: { size: 16, apply: (reference, imageId) => ({ ...reference, imageId }) },
  idKeyDigest: {
    size: 48,
    apply: (reference, digest) => ({ ...reference, idKeyDigests: [digest] }),
  },
  authorKeyDigest: {
    size: 48,
    apply: (reference, digest) => ({ ...reference, authorKeyDigests: [digest] }),
  },
  chipId: { size: 64, apply: (reference, chipId) => ({ ...reference, chipIds: [chipId] }) },
}

export const sevSnp = defineTee<SnpEvidence, SnpEndorsement, SnpReference>({
  name: 'sev-snp',
  mediaTypes: ['application/vnd.amd.sev-snp.report'],
  structure,
  authenticate: authenticityChecks,
  appraise: [...configurationChecks, ...tcbChecks, ...referenceChecks],
  recognises,
  decode: decodeEvidence,
  endorse,
  slowSignature,
  bind: ({ report }) => report.reportData,
  claims,
  claimSchema,
  identify,
  inspect,
  expectations,
  noReference: {},
  profiles: {
    strict: new Map(),
    aws: new Map([
      ['snp.vmpl.expected', 'EC2 guests get their reports at VMPL 1'],
      ['snp.tcb.committed', 'EC2 runs firmware for a while before it commits it'],
    ]),
    azure: new Map([['snp.tcb.committed', 'Azure runs firmware for a while before it commits it']]),
    gcp: new Map(),
    alibaba: new Map(),
  },
})

/** Reports begin with a small version number in four bytes; quotes have a key type in the upper two. */
function recognises(quote: Uint8Array): boolean {
  const [, second, third, fourth] = quote
  return quote.length >= 4 && second === 0 && third === 0 && fourth === 0
}
