/**
 * Intel's Provisioning Certification Service, API v4, and its cache PCCS, which has the same paths under another base:
 * "Intel SGX and Intel TDX Provisioning Certification Service for ECDSA Attestation", sections "Get TCB Info", "Get Quoting
 * Enclave Identity" and "Get Revocation List". Everything in an address is a checked subject.
 */
import { fromHex } from '../bytes/encoding.ts'
import { Malformed } from '../bytes/malformed.ts'
import { noParts, type SignedCollateral } from '../rats/endorsements.ts'
import type { FetchResponse } from '../service/endorsement-source.ts'
import { type IntelSubject, nameOf } from '../service/endorsement-subject.ts'
import { certificatesOfPem } from '../tee/dcap/pem.ts'
import { memberSlices } from './intel-pcs-json.ts'
import {
  baseAddress,
  LARGEST_CRL_ANSWER,
  LARGEST_JSON_ANSWER,
  type VendorRoute,
} from './vendor-route.ts'

export interface IntelPcsSettings {
  /** `https://api.trustedservices.intel.com`, or a PCCS. */
  readonly base: string
  /**
   * The root CA's revocation list. Intel has it at `https://certificates.trustedservices.intel.com/IntelSGXRootCA.der`,
   * on another host than the rest; a PCCS at `/sgx/certification/v4/rootcacrl`.
   */
  readonly rootCrl: string
  /** Intel publishes a TCB recovery `early` and makes it `standard` a year later. */
  readonly update: 'standard' | 'early'
}

export type IntelPcs = (subject: IntelSubject) => VendorRoute

/** Throws Problem('configuration-invalid'). */
export function intelPcs(settings: IntelPcsSettings): IntelPcs {
  const base = baseAddress('the address of Intel PCS', settings.base)
  const rootCrl = baseAddress("the address of Intel's root revocation list", settings.rootCrl)
  return (subject) => {
    // Refuses whatever is not exactly a subject, before any of it stands in an address.
    nameOf(subject)
    return { vendor: 'Intel PCS', ...routeOf({ ...settings, base, rootCrl }, subject) }
  }
}

function routeOf(
  { base, rootCrl, update }: IntelPcsSettings,
  subject: IntelSubject,
): Omit<VendorRoute, 'vendor'> {
  switch (subject.document) {
    case 'intel-tcb-info':
      return {
        url: `${base}/${subject.tee}/certification/v4/tcb?fmspc=${subject.fmspc.toUpperCase()}&update=${update}`,
        maxBytes: LARGEST_JSON_ANSWER,
        read: (response) => ({
          ...noParts,
          tcbInfos: [signedCollateral(response, 'tcbInfo', 'tcb-info-issuer-chain')],
        }),
      }
    case 'intel-qe-identity':
      return {
        url: `${base}/${subject.tee}/certification/v4/qe/identity?update=${update}`,
        maxBytes: LARGEST_JSON_ANSWER,
        read: (response) => ({
          ...noParts,
          qeIdentities: [
            signedCollateral(response, 'enclaveIdentity', 'sgx-enclave-identity-issuer-chain'),
          ],
        }),
      }
    case 'intel-pck-crl':
      return {
        url: `${base}/sgx/certification/v4/pckcrl?ca=${subject.ca}&encoding=der`,
        maxBytes: LARGEST_CRL_ANSWER,
        read: ({ bytes }) => ({ ...noParts, crls: [crlOf(bytes)] }),
      }
    case 'intel-root-crl':
      return {
        url: rootCrl,
        maxBytes: LARGEST_CRL_ANSWER,
        read: ({ bytes }) => ({ ...noParts, crls: [crlOf(bytes)] }),
      }
  }
}

/** The signed bytes are copied out of the answer, as received. */
function signedCollateral(
  { bytes, headers }: FetchResponse,
  member: string,
  chainHeader: string,
): SignedCollateral {
  const slices = memberSlices(bytes, member)
  const body = slices.get(member)
  if (body?.[0] !== 0x7b)
    throw new Malformed({ path: member, offset: 0 }, describe(body), 'an object')
  return {
    body: new Uint8Array(body),
    signature: signatureOf(slices.get('signature')),
    issuerChain: issuerChainOf(headers.get(chainHeader), chainHeader),
  }
}

function signatureOf(json: Uint8Array | undefined): Uint8Array {
  const text = Buffer.from(json ?? []).toString('latin1')
  const signature = fromHex(/^"([0-9a-fA-F]{128})"$/.exec(text)?.[1] ?? '')
  if (signature?.length !== 64)
    throw new Malformed({ path: 'signature', offset: 0 }, describe(json), '128 hex digits')
  return signature
}

/** PEM, percent-encoded to fit in a header: TCB signer, then root. */
function issuerChainOf(header: string | undefined, path: string): readonly Uint8Array[] {
  if (header === undefined)
    throw new Malformed({ path, offset: 0 }, 'no such header', 'the issuer chain')
  return certificatesOfPem(percentDecoded(header, path), { path, most: 2 })
}

function percentDecoded(text: string, path: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Malformed({ path, offset: 0 }, 'broken percent-encoding', 'percent-encoded PEM')
  }
}

/** DER begins with 0x30, its hex with the digit 3. PCCS writes the root's list, and older ones every list, as the hex of it. */
function crlOf(bytes: Uint8Array): Uint8Array {
  if (bytes[0] === 0x30) return bytes
  // What is neither stays as it is and is refused as a list.
  return fromHex(Buffer.from(bytes).toString('latin1').trim()) ?? bytes
}

function describe(json: Uint8Array | undefined): string {
  return json ? Buffer.from(json).toString('latin1').slice(0, 40) : 'nothing'
}
