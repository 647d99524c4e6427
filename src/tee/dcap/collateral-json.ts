/**
 * Endorsements out of one JSON file, in the shape in which Intel's QuoteProvider hands collateral over and DCAP tools store
 * it. Signed documents are kept as the text that was signed: the strings' own bytes, never re-serialised.
 */
import { Malformed } from '../../bytes/malformed.ts'
import type { EndorsementParts, SignedCollateral } from '../../rats/endorsements.ts'
import { type Fields, fieldsOf, fieldsOfJson } from './json-fields.ts'
import { certificatesOfPem } from './pem.ts'

const PATH = 'collateral'
const MAX_BYTES = 4 * 1024 * 1024
const MAX_CERTIFICATES = 8
const CERTIFICATE_CHAINS = ['pck_crl_issuer_chain', 'pck_certificate_chain']
const CRLS = ['root_ca_crl', 'pck_crl']

/**
 * Reads `tcb_info`, `tcb_info_signature` (hex), `tcb_info_issuer_chain` (PEM, signer first), the same three of
 * `qe_identity`, `root_ca_crl` and `pck_crl` (DER in hex), and chains beside them. Each part may be missing, all may not.
 * Throws Malformed. Nothing is verified here.
 */
export function partsOfCollateralJson(text: string): EndorsementParts {
  return partsOf(fieldsOfJson(Buffer.from(text, 'utf8'), { path: PATH, most: MAX_BYTES }))
}

/** The same, where the outer object was read as part of something else: what is signed is text within it. */
export function partsOfCollateral(fields: Readonly<Record<string, string>>): EndorsementParts {
  return partsOf(fieldsOf(fields, PATH))
}

function partsOf(fields: Fields): EndorsementParts {
  const parts: EndorsementParts = {
    certificates: CERTIFICATE_CHAINS.flatMap((name) => chain(fields, name)),
    crls: CRLS.filter((name) => fields.has(name)).map((name) => der(fields, name)),
    tcbInfos: signedDocument(fields, 'tcb_info'),
    qeIdentities: signedDocument(fields, 'qe_identity'),
  }
  if (Object.values(parts).every((part) => part.length === 0))
    throw new Malformed(
      { path: PATH, offset: 0 },
      'no part of it',
      `tcb_info, qe_identity, ${CRLS.join(' or ')}`,
    )
  return parts
}

function signedDocument(fields: Fields, name: string): readonly SignedCollateral[] {
  if (!fields.has(name)) return []
  return [
    {
      body: new Uint8Array(Buffer.from(fields.text(name), 'utf8')),
      signature: fields.hex(`${name}_signature`, 64),
      issuerChain: chain(fields, `${name}_issuer_chain`),
    },
  ]
}

function chain(fields: Fields, name: string): readonly Uint8Array[] {
  if (!fields.has(name)) return []
  return certificatesOfPem(fields.text(name), {
    path: `${PATH}.${name}`,
    most: MAX_CERTIFICATES,
  })
}

function der(fields: Fields, name: string): Uint8Array {
  return new Uint8Array(Buffer.from(fields.text(name, /^([0-9a-fA-F]{2})+$/), 'hex'))
}
