/**
 * A certificate authority that looks like Intel's: SGX root, PCK Platform and Processor CA, PCK certificates, the signer of
 * TCB collateral, and both revocation lists, with the names, extensions and dates that Intel's own carry. Intel SGX PCK
 * Certificate and CRL Profile Specification rev. 1.5; for the order of extensions, the published certificates.
 */
import { type PckFields, type SgxElement, sgxElements, sgxExtension } from './intel-pck.ts'
import {
  type Alteration,
  authorityKeyIdentifier,
  basicConstraints,
  crlDistributionPoint,
  type ExtensionFields,
  keyUsage,
  type MintedCertificate,
  mintCertificate,
  subjectKeyIdentifier,
} from './mint/certificate.ts'
import { type CrlFields, crlNumber, mintCrl } from './mint/crl.ts'
import { name } from './mint/name.ts'
import { type Chance, ecdsaSha256 } from './mint/signing.ts'

export interface IntelRequest {
  readonly chance: Chance
  /** When PCK certificates, the TCB signer and CRLs were issued. The certificates then live for 7 years, a CRL for 30 days. */
  readonly issued: Date
  readonly alter?: {
    readonly root?: Alteration
    readonly platform?: Alteration
    readonly processor?: Alteration
    readonly tcbSigner?: Alteration
  }
}

export interface PckRequest {
  /** Key label; another label is another key. */
  readonly label?: string
  /** Default: the Platform CA when `fields` have a platform, else the Processor CA. */
  readonly issuer?: MintedCertificate
  readonly alter?: Alteration
  /** Changes to the members of the SGX extension. */
  readonly elements?: (usual: readonly SgxElement[]) => readonly SgxElement[]
}

export interface IntelPki {
  readonly root: MintedCertificate
  readonly platform: MintedCertificate
  readonly processor: MintedCertificate
  readonly tcbSigner: MintedCertificate
  readonly pck: (fields: PckFields, request?: PckRequest) => MintedCertificate
  /** DER. The root's list covers CAs and the TCB signer. */
  readonly rootCrl: (fields?: Partial<CrlFields>) => Uint8Array
  /** DER. Each PCK CA publishes one, which may be empty. */
  readonly pckCrl: (issuer?: MintedCertificate, fields?: Partial<CrlFields>) => Uint8Array
}

const DIGITAL_SIGNATURE = 0
const NON_REPUDIATION = 1
const KEY_CERT_SIGN = 5
const CRL_SIGN = 6

const BORN = new Date('2018-05-21T10:45:10Z')
const ROOT_LIST = 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der'
const pckList = (ca: string) =>
  `https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=${ca}&encoding=der`
const DAY = 24 * 60 * 60 * 1000

export function intelPki({ chance, issued, alter = {} }: IntelRequest): IntelPki {
  const serial = (label: string) => serialOf(chance.bytes(`serial/${label}`, 20))
  const rootKey = chance.p256('intel-root')
  const root = mintCertificate(
    rootKey,
    {
      serial: serial('intel-root'),
      issuer: intelName('Intel SGX Root CA'),
      subject: intelName('Intel SGX Root CA'),
      notBefore: BORN,
      notAfter: new Date('2049-12-31T23:59:59Z'),
      extensions: [
        authorityKeyIdentifier(rootKey.publicKey),
        crlDistributionPoint(ROOT_LIST),
        subjectKeyIdentifier(rootKey.publicKey),
        keyUsage(KEY_CERT_SIGN, CRL_SIGN),
        basicConstraints(true, 1),
      ],
      scheme: ecdsaSha256,
      signedBy: rootKey,
    },
    alter.root,
  )

  const issue = (issuer: MintedCertificate, request: Issuance) => {
    const key = chance.p256(request.label)
    const { notBefore, notAfter } = request
    return mintCertificate(
      key,
      {
        serial: serial(request.label),
        issuer: issuer.subject,
        subject: intelName(request.commonName),
        notBefore,
        notAfter,
        extensions: [
          authorityKeyIdentifier(issuer.publicKey),
          crlDistributionPoint(request.list),
          subjectKeyIdentifier(key.publicKey),
          ...request.extensions,
        ],
        scheme: ecdsaSha256,
        signedBy: issuer.key,
      },
      request.alter,
    )
  }
  const authority = (ca: string, alteration?: Alteration) =>
    issue(root, {
      label: `intel-${ca.toLowerCase()}-ca`,
      commonName: `Intel SGX PCK ${ca} CA`,
      notBefore: BORN,
      notAfter: yearsAfter(BORN, 15),
      list: ROOT_LIST,
      extensions: [keyUsage(KEY_CERT_SIGN, CRL_SIGN), basicConstraints(true, 0)],
      ...(alteration && { alter: alteration }),
    })
  const platform = authority('Platform', alter.platform)
  const processor = authority('Processor', alter.processor)
  const endEntity = [keyUsage(DIGITAL_SIGNATURE, NON_REPUDIATION), basicConstraints(false)]

  const list = (issuer: MintedCertificate, fields: Partial<CrlFields>) =>
    mintCrl({
      version: 1,
      issuer: issuer.subject,
      thisUpdate: issued,
      nextUpdate: new Date(issued.getTime() + 30 * DAY),
      revoked: [],
      extensions: [crlNumber(1), authorityKeyIdentifier(issuer.publicKey)],
      scheme: ecdsaSha256,
      signedBy: issuer.key,
      ...fields,
    })

  return {
    root,
    platform,
    processor,
    tcbSigner: issue(root, {
      label: 'intel-tcb-signer',
      commonName: 'Intel SGX TCB Signing',
      notBefore: issued,
      notAfter: yearsAfter(issued, 7),
      list: ROOT_LIST,
      extensions: endEntity,
      ...(alter.tcbSigner && { alter: alter.tcbSigner }),
    }),
    pck(fields, request = {}) {
      const { alter: alteration, elements } = request
      const usual = sgxElements(fields)
      const ca = fields.platform ? platform : processor
      return issue(request.issuer ?? ca, {
        label: request.label ?? 'pck',
        commonName: 'Intel SGX PCK Certificate',
        notBefore: issued,
        notAfter: yearsAfter(issued, 7),
        list: pckList(fields.platform ? 'platform' : 'processor'),
        extensions: [...endEntity, sgxExtension(elements?.(usual) ?? usual)],
        ...(alteration && { alter: alteration }),
      })
    },
    rootCrl: (fields = {}) => list(root, fields),
    pckCrl: (issuer = platform, fields = {}) => list(issuer, fields),
  }
}

interface Issuance {
  readonly label: string
  readonly commonName: string
  readonly notBefore: Date
  readonly notAfter: Date
  /** Address of the issuer's revocation list. */
  readonly list: string
  readonly extensions: readonly ExtensionFields[]
  readonly alter?: Alteration
}

export function intelName(commonName: string): Uint8Array {
  return name(
    ['CN', commonName],
    ['O', 'Intel Corporation'],
    ['L', 'Santa Clara'],
    ['ST', 'CA'],
    ['C', 'US'],
  )
}

/** Intel's serial numbers are 20 random bytes, read as an unsigned number. */
function serialOf(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, octet) => sum * 256n + BigInt(octet), 0n)
}

function yearsAfter(date: Date, years: number): Date {
  const later = new Date(date)
  later.setUTCFullYear(later.getUTCFullYear() + years)
  return later
}
