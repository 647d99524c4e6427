/** What a certificate or revocation list says of itself, in JSON. Nothing here is checked, the signature least of all. */
import { toHex } from '../bytes/encoding.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { Crl } from '../pki/crl.ts'
import type { Claims } from '../rats/tee.ts'
import { decodePckExtension, PCK_EXTENSION } from '../tee/dcap/pck-extension.ts'
import { decodeVekExtensions } from '../tee/sev-snp/vek.ts'

const MOST_REVOKED = 1000
/** RFC 5280 section 4.2.1.3, by bit. */
const keyUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
]
/** Any of AMD's own extensions begins so. */
const AMD_ARC = '1.3.6.1.4.1.3704.1.'

export function certificateClaims(certificate: Certificate): Claims {
  const { authority, keyUsage, extensions } = certificate
  return {
    subject: certificate.subject,
    issuer: certificate.issuer,
    serial: certificate.serial,
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    keyType: certificate.keyType,
    signature: certificate.signatureIdentifier,
    authority: authority !== undefined,
    pathLength: authority?.pathLength ?? null,
    keyUsage: keyUsage ? [...keyUsage].map((bit) => keyUsages[bit] ?? `bit ${bit}`) : null,
    sha256: certificate.sha256,
    ...vendorClaims(certificate),
    extensions: Object.fromEntries(
      [...extensions].map(([oid, { critical, value }]) => [
        oid,
        `${critical ? 'critical ' : ''}${toHex(value)}`,
      ]),
    ),
  }
}

/** The vendors' extensions taken apart, or why they cannot be. */
function vendorClaims(certificate: Certificate): Claims {
  const oids = [...certificate.extensions.keys()]
  try {
    if (oids.some((oid) => oid.startsWith(AMD_ARC))) return { amd: amdClaims(certificate) }
    if (oids.includes(PCK_EXTENSION)) return { intel: intelClaims(certificate) }
    return {}
  } catch (cause) {
    return { unreadable: cause instanceof Error ? cause.message : String(cause) }
  }
}

function amdClaims(certificate: Certificate): Claims {
  const { productName, tcb, hwid, cspId } = decodeVekExtensions(certificate)
  return {
    productName,
    tcb: { ...tcb },
    hwid: hwid ? toHex(hwid) : null,
    cspId: cspId ?? null,
  }
}

function intelClaims(certificate: Certificate): Claims {
  const pck = decodePckExtension(certificate)
  const { platform } = pck
  return {
    fmspc: toHex(pck.fmspc),
    pceId: toHex(pck.pceId),
    ppid: toHex(pck.ppid),
    cpuSvn: toHex(pck.cpuSvn),
    pceSvn: pck.pceSvn,
    components: toHex(pck.components),
    sgxType: pck.sgxType,
    platform: platform ? { ...platform, instanceId: toHex(platform.instanceId) } : null,
  }
}

export function crlClaims(crl: Crl): Claims {
  return {
    issuer: crl.issuer,
    thisUpdate: crl.thisUpdate.toISOString(),
    nextUpdate: crl.nextUpdate.toISOString(),
    signature: crl.signatureIdentifier,
    revokedCount: crl.revoked.size,
    revokedSerials: [...crl.revoked].slice(0, MOST_REVOKED),
    sha256: crl.sha256,
  }
}
