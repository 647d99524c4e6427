/**
 * Which of Intel's documents does this quote need? TCB info for its platform family and the QE identity, each for its TEE,
 * and the lists of the PCK CA and of the root. The FMSPC is read out of a certificate that nobody has authenticated:
 * subjects take it as six bytes and nothing else.
 */
import { hash } from 'node:crypto'
import { toHex } from '../bytes/encoding.ts'
import { decodeCertificate } from '../pki/certificate.ts'
import { decodePckExtension } from '../tee/dcap/pck-extension.ts'
import { certificatesOfPem } from '../tee/dcap/pem.ts'
import type { Quote } from '../tee/dcap/quote.ts'
import { remembered } from './collect-endorsements-remembered.ts'
import type { IntelSubject, IntelTee, PckCa } from './endorsement-subject.ts'

export function dcapNeeds({ pckChain }: Quote<unknown>, tee: IntelTee): readonly IntelSubject[] {
  // Memoised with its subjects: the same objects come back for the same platform.
  return seen.get(`${tee}|${hash('sha256', pckChain, 'hex')}`, () => needsOf(pckChain, tee))
}

const seen = remembered<readonly IntelSubject[]>(16_384)
const LONGEST_CHAIN = 3

/** A Map, for the name is the sender's: `constructor` must be nothing. */
const cas: ReadonlyMap<string, PckCa> = new Map([
  ['Intel SGX PCK Platform CA', 'platform'],
  ['Intel SGX PCK Processor CA', 'processor'],
])

function needsOf(pem: Uint8Array, tee: IntelTee): readonly IntelSubject[] {
  try {
    const text = Buffer.from(pem).toString('latin1')
    const [leaf, issuer] = certificatesOfPem(text, { path: 'PCK chain', most: LONGEST_CHAIN })
    if (!leaf || !issuer) return []
    const ca = cas.get(decodeCertificate(issuer).commonName)
    const { fmspc } = decodePckExtension(decodeCertificate(leaf))
    if (!ca) return []
    return [
      { document: 'intel-tcb-info', tee, fmspc: toHex(fmspc) },
      { document: 'intel-qe-identity', tee },
      { document: 'intel-pck-crl', ca },
      { document: 'intel-root-crl' },
    ]
  } catch {
    // Unreadable, which is for the checks to refuse.
    return []
  }
}
