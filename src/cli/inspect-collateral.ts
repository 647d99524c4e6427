/** What Intel's signed documents say, in JSON. Nothing here is checked: whoever holds a file may have edited it. */
import { createHash } from 'node:crypto'
import { toHex } from '../bytes/encoding.ts'
import { Malformed } from '../bytes/malformed.ts'
import { decodeCertificate } from '../pki/certificate.ts'
import type { SignedCollateral } from '../rats/endorsements.ts'
import type { Claims } from '../rats/tee.ts'
import { decodeQeIdentity } from '../tee/dcap/qe-identity.ts'
import { decodeTcbInfo } from '../tee/dcap/tcb-info.ts'
import { certificateClaims } from './inspect-certificate.ts'

type Decode = (body: Uint8Array) => Claims

export function tcbInfoClaims(document: SignedCollateral): Claims {
  return { ...bodyClaims(document.body, tcbInfoBody), ...signatureClaims(document) }
}

export function qeIdentityClaims(document: SignedCollateral): Claims {
  return { ...bodyClaims(document.body, qeIdentityBody), ...signatureClaims(document) }
}

/**
 * The answers of Intel's PCS as they are, `{"tcbInfo": ..., "signature": ...}`: their issuer chain stood in a header. Written
 * out again to be decoded, which is good enough to look at and would never do for a signature. Undefined for other JSON.
 */
export function pcsAnswerClaims(
  text: string,
): { readonly kind: string; readonly fields: Claims } | undefined {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof answer !== 'object' || answer === null) return undefined
  const body = (value: unknown) => new Uint8Array(Buffer.from(JSON.stringify(value), 'utf8'))
  if ('tcbInfo' in answer)
    return { kind: 'Intel TCB info', fields: bodyClaims(body(answer.tcbInfo), tcbInfoBody) }
  if ('enclaveIdentity' in answer)
    return {
      kind: 'Intel QE identity',
      fields: bodyClaims(body(answer.enclaveIdentity), qeIdentityBody),
    }
  return undefined
}

function bodyClaims(body: Uint8Array, decode: Decode): Claims {
  try {
    return decode(body)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return { unreadable: cause.message }
  }
}

function tcbInfoBody(body: Uint8Array): Claims {
  const info = decodeTcbInfo(body)
  return {
    id: info.id,
    fmspc: info.fmspc,
    pceId: info.pceId,
    issueDate: info.notBefore.toISOString(),
    nextUpdate: info.notAfter.toISOString(),
    tcbEvaluationDataNumber: info.evaluationDataNumber,
    levels: info.levels.map(
      ({ status, date, pceSvn, sgxComponents, tdxComponents, advisoryIds }): Claims => ({
        status,
        date: date.toISOString(),
        pceSvn,
        sgxComponents: toHex(sgxComponents),
        tdxComponents: toHex(tdxComponents),
        advisoryIds,
      }),
    ),
    moduleIdentities: [...info.moduleIdentities.values()].map(
      ({ id, mrSigner, levels }): Claims => ({
        id,
        mrSigner: toHex(mrSigner),
        levels: levels.map(({ isvSvn, status }) => `isvSvn ${isvSvn}: ${status}`),
      }),
    ),
  }
}

function qeIdentityBody(body: Uint8Array): Claims {
  const identity = decodeQeIdentity(body)
  return {
    id: identity.id,
    issueDate: identity.notBefore.toISOString(),
    nextUpdate: identity.notAfter.toISOString(),
    tcbEvaluationDataNumber: identity.evaluationDataNumber,
    mrSigner: toHex(identity.mrSigner),
    isvProdId: identity.isvProdId,
    levels: identity.levels.map(({ isvSvn, status }) => `isvSvn ${isvSvn}: ${status}`),
  }
}

function signatureClaims({ body, signature, issuerChain }: SignedCollateral): Claims {
  return {
    sha256: createHash('sha256').update(body).digest('hex'),
    signature: toHex(signature),
    issuerChain: issuerChain.map((der) => readableCertificate(der)),
  }
}

/** A chain that the collateral brings may be anything; the file around it is still worth looking at. */
export function readableCertificate(der: Uint8Array): Claims {
  try {
    return certificateClaims(decodeCertificate(der))
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return { unreadable: cause.message }
  }
}
