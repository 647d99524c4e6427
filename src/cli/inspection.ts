/** What do these bytes say? Evidence, endorsements or a vector, decoded without believing any of it. */
import { Malformed } from '../bytes/malformed.ts'
import { decodeCrl } from '../pki/crl.ts'
import { Problem } from '../problems.ts'
import type { EndorsementParts } from '../rats/endorsements.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { AnyTee, Claims } from '../rats/tee.ts'
import type { Vector } from '../rats/vector.ts'
import { endorsementsOfFile } from '../service/endorsement-files.ts'
import { teeOf, tees } from '../tee/registry.ts'
import { decodeCertificateTable } from '../tee/sev-snp/certificate-table.ts'
import { type EvidenceInput, isVector, vectorOf } from './evidence-input.ts'
import { crlClaims } from './inspect-certificate.ts'
import {
  pcsAnswerClaims,
  qeIdentityClaims,
  readableCertificate,
  tcbInfoClaims,
} from './inspect-collateral.ts'

export interface Inspection {
  readonly kind: string
  readonly fields: Claims
}

/** Throws Problem. */
export function inspectFile(path: string, bytes: Uint8Array): Inspection {
  if (isVector(path, bytes)) return inspectVector(vectorOf(path, bytes))
  const tee = bytes.length > 0 ? teeOf(bytes) : undefined
  if (tee) return inspectEvidence(path, { tee, evidence: { quote: bytes } })
  const answer = pcsAnswerClaims(Buffer.from(bytes).toString('utf8'))
  if (answer) return answer
  return inspectEndorsements(endorsementsOfAny(path, bytes))
}

/** Throws Problem('evidence-unrecognised') that names the structure rule which the bytes break. */
export function inspectEvidence(path: string, { tee, evidence }: EvidenceInput): Inspection {
  const decoding = decodingOf(tee, evidence)
  if ('fault' in decoding)
    throw new Problem(
      'evidence-unrecognised',
      `${path} is meant as evidence of ${tee.name} and cannot be decoded (${decoding.fault.id}): ${decoding.fault.sentence}.`,
    )
  return { kind: `${tee.name} evidence`, fields: decoding.fields }
}

function decodingOf(tee: AnyTee, evidence: Evidence) {
  const decoding = tee.decode(evidence)
  if ('fault' in decoding) return decoding
  const { auxblob } = evidence
  return {
    fields: {
      ...tee.inspect(decoding.evidence),
      ...(auxblob && { auxblob: auxblobClaims(auxblob) }),
    },
  }
}

function auxblobClaims(auxblob: Uint8Array): readonly Claims[] {
  try {
    return decodeCertificateTable(auxblob).map(readableCertificate)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return [{ unreadable: cause.message }]
  }
}

function endorsementsOfAny(path: string, bytes: Uint8Array): EndorsementParts {
  try {
    return endorsementsOfFile(path, bytes)
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause
    throw new Problem(
      cause.code,
      `${path} is no evidence of ${tees.map(({ name }) => name).join(', ')}, and no endorsement either. ${cause.detail}`,
      { cause },
    )
  }
}

function inspectEndorsements(parts: EndorsementParts): Inspection {
  const fields = partsClaims(parts)
  return { kind: Object.keys(fields).join(' and '), fields }
}

/** Only what is there. */
function partsClaims(parts: EndorsementParts): Claims {
  const { certificates, crls, tcbInfos, qeIdentities } = parts
  return {
    ...(certificates.length > 0 && { certificates: certificates.map(readableCertificate) }),
    ...(crls.length > 0 && { crls: crls.map(readableCrl) }),
    ...(tcbInfos.length > 0 && { tcbInfos: tcbInfos.map(tcbInfoClaims) }),
    ...(qeIdentities.length > 0 && { qeIdentities: qeIdentities.map(qeIdentityClaims) }),
  }
}

function readableCrl(der: Uint8Array): Claims {
  try {
    return crlClaims(decodeCrl(der))
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return { unreadable: cause.message }
  }
}

function inspectVector({ header, evidence, parts, anchors }: Vector): Inspection {
  const tee = tees.find(({ name }) => name === header.tee)
  const decoding = tee && decodingOf(tee, evidence)
  return {
    kind: 'vector',
    fields: {
      tee: header.tee,
      expect: header.expect,
      at: header.at.toISOString(),
      comment: header.comment,
      profile: header.profile ?? null,
      waivers: Object.fromEntries(header.waivers),
      expectations: Object.fromEntries(
        [...header.expectations].map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
      ),
      evidence:
        decoding === undefined
          ? { unreadable: `this build knows no ${header.tee}` }
          : 'fault' in decoding
            ? { unreadable: `${decoding.fault.id}: ${decoding.fault.sentence}` }
            : decoding.fields,
      ...partsClaims(parts),
      simulatedRoots: anchors.map(({ der }) => readableCertificate(der)),
    },
  }
}
