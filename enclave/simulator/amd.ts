/**
 * A certificate authority that looks like AMD's: ARK, ASK, ASVK, VCEK, VLEK and the ARK's revocation list, with the names,
 * object identifiers, encodings and serial numbers that AMD's own carry. AMD 57230 rev. 0.51, and for what it leaves open
 * the certificates in certs/amd and recorded VEKs.
 */
import type { Tcb } from '../../src/tee/sev-snp/tcb.ts'
import { amdExtension, type SnpProduct, tcbExtensions } from './amd-vek.ts'
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
import { bits, ia5, integer } from './mint/der.ts'
import { name } from './mint/name.ts'
import { type Chance, pssSha384, pssSha384WithTrailer } from './mint/signing.ts'

export interface AmdRequest {
  /** RSA keys are asked for as `ark-milan`, `ask-milan`, `asvk-milan`, ...; VEK keys by the VEK's own label. */
  readonly chance: Chance
  readonly product: SnpProduct
  /** When VEKs and CRLs were issued. A VCEK then lives for 7 years, a VLEK for 1, a CRL for 1. */
  readonly issued: Date
  readonly alter?: {
    readonly ark?: Alteration
    readonly ask?: Alteration
    readonly asvk?: Alteration
  }
}

interface VcekFields {
  /** Key label; another label is another key. */
  readonly label?: string
  /** 64 bytes, on Turin 8. */
  readonly hwid: Uint8Array
  readonly tcb: Tcb
}

interface VlekFields {
  readonly label?: string
  readonly cspId: string
  readonly tcb: Tcb
}

export interface AmdPki {
  readonly product: SnpProduct
  readonly ark: MintedCertificate
  readonly ask: MintedCertificate
  readonly asvk: MintedCertificate
  readonly vcek: (fields: VcekFields, alter?: Alteration) => MintedCertificate
  readonly vlek: (fields: VlekFields, alter?: Alteration) => MintedCertificate
  /** DER. AMD publishes one list per product, signed by the ARK. */
  readonly crl: (fields?: Partial<CrlFields>) => Uint8Array
}

/** What differs between AMD's product lines, besides TCB bytes and the size of a chip id. */
const lines: Readonly<
  Record<SnpProduct, { serial: number; born: string; chip: string; structVersion: number }>
> = {
  Milan: { serial: 0x01_0000, born: '2020-10-22T17:23:05Z', chip: 'Milan-B0', structVersion: 0 },
  Genoa: { serial: 0x02_0000, born: '2022-01-26T15:34:37Z', chip: 'Genoa', structVersion: 0 },
  Turin: { serial: 0x03_0000, born: '2023-05-15T20:03:12Z', chip: 'Turin', structVersion: 1 },
}

const KEY_CERT_SIGN = 5
const CRL_SIGN = 6
/** Only keyCertSign. AMD counts one unused bit in the octet, where DER would count two. */
const signerUsage = { ...keyUsage(KEY_CERT_SIGN), value: bits(new Uint8Array([0x04]), 1) }

/** CA certificates are minted when first asked for: each costs an RSA-4096 signature and perhaps a key. */
export function amdPki({ chance, product, issued, alter = {} }: AmdRequest): AmdPki {
  const line = lines[product]
  const slug = product.toLowerCase()
  const born = new Date(line.born)
  const authorityLife = { notBefore: born, notAfter: yearsAfter(born, 25) }
  const crlPoint = (kind: string) =>
    crlDistributionPoint(`https://kdsintf.amd.com/${kind}/v1/${product}/crl`)

  const ark = once(() => {
    const key = chance.rsa4096(`ark-${slug}`)
    return mintCertificate(
      key,
      {
        serial: BigInt(line.serial),
        issuer: amdName(`ARK-${product}`),
        subject: amdName(`ARK-${product}`),
        ...authorityLife,
        extensions: [
          keyUsage(KEY_CERT_SIGN, CRL_SIGN),
          subjectKeyIdentifier(key.publicKey),
          basicConstraints(true),
          crlPoint('vcek'),
        ],
        scheme: pssSha384WithTrailer,
        signedBy: key,
      },
      alter.ark,
    )
  })

  const signer = (role: SignerRole) => {
    const key = chance.rsa4096(`${role.key}-${slug}`)
    return mintCertificate(
      key,
      {
        serial: BigInt(line.serial + role.serial),
        issuer: ark().subject,
        subject: amdName(`${role.prefix}-${product}`),
        ...authorityLife,
        extensions: [
          subjectKeyIdentifier(key.publicKey),
          authorityKeyIdentifier(ark().publicKey),
          basicConstraints(true, 0),
          signerUsage,
          crlPoint(role.crl),
        ],
        scheme: pssSha384WithTrailer,
        signedBy: ark().key,
      },
      alter[role.key],
    )
  }
  const ask = once(() => signer({ key: 'ask', prefix: 'SEV', serial: 1, crl: 'vcek' }))
  const asvk = once(() => signer({ key: 'asvk', prefix: 'SEV-VLEK', serial: 0x101, crl: 'vlek' }))

  const vek = (issuer: MintedCertificate, fields: VekFields, alteration?: Alteration) =>
    mintCertificate(
      chance.p384(fields.label),
      {
        serial: 0n,
        issuer: issuer.subject,
        subject: amdName(fields.commonName),
        notBefore: issued,
        notAfter: yearsAfter(issued, fields.years),
        extensions: [
          amdExtension('1', integer(line.structVersion)),
          amdExtension('2', ia5(fields.chip)),
          ...tcbExtensions(product, fields.tcb),
          fields.owner,
        ],
        scheme: pssSha384,
        signedBy: issuer.key,
      },
      alteration,
    )

  return {
    product,
    get ark() {
      return ark()
    },
    get ask() {
      return ask()
    },
    get asvk() {
      return asvk()
    },
    vcek: ({ label = `vcek-${slug}`, hwid, tcb }, alteration) =>
      vek(
        ask(),
        {
          label,
          commonName: 'SEV-VCEK',
          chip: line.chip,
          years: 7,
          tcb,
          owner: amdExtension('4', hwid),
        },
        alteration,
      ),
    vlek: ({ label = `vlek-${slug}`, cspId, tcb }, alteration) =>
      vek(
        asvk(),
        {
          label,
          commonName: 'SEV-VLEK',
          chip: product,
          years: 1,
          tcb,
          owner: amdExtension('5', ia5(cspId)),
        },
        alteration,
      ),
    crl: (fields = {}) =>
      mintCrl({
        version: 1,
        issuer: ark().subject,
        thisUpdate: issued,
        nextUpdate: yearsAfter(issued, 1),
        revoked: [],
        extensions: [authorityKeyIdentifier(ark().publicKey), crlNumber(1)],
        scheme: pssSha384,
        signedBy: ark().key,
        ...fields,
      }),
  }
}

interface SignerRole {
  readonly key: 'ask' | 'asvk'
  readonly prefix: string
  readonly serial: number
  readonly crl: string
}

interface VekFields {
  readonly label: string
  readonly commonName: string
  readonly chip: string
  readonly years: number
  readonly tcb: Tcb
  /** Hardware id of a VCEK, provider of a VLEK. */
  readonly owner: ExtensionFields
}

export function amdName(commonName: string): Uint8Array {
  return name(
    ['OU', 'Engineering'],
    ['C', 'US'],
    ['L', 'Santa Clara'],
    ['ST', 'CA'],
    ['O', 'Advanced Micro Devices'],
    ['CN', commonName],
  )
}

function yearsAfter(date: Date, years: number): Date {
  const later = new Date(date)
  later.setUTCFullYear(later.getUTCFullYear() + years)
  return later
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}
