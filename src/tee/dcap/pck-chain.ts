/**
 * Is the key that signed the QE report a platform's own? Judges the PCK chain of a quote: path, roles, the platform that its
 * SGX extension names, revocation. Everything but the time; cold, tens of milliseconds.
 */
import { toHex } from '../../bytes/encoding.ts'
import type { AnchorSet } from '../../pki/anchor.ts'
import { type Certificate, decodeCertificate } from '../../pki/certificate.ts'
import { type PathResult, validatePath } from '../../pki/path.ts'
import { ecdsaP256Sha256 } from '../../pki/scheme.ts'
import { type Judgement, refuse } from '../../rats/check.ts'
import { malformation, unreached } from './malformation.ts'
import { decodePckExtension, type PckExtension } from './pck-extension.ts'
import { certificatesOfPem } from './pem.ts'
import { type Crls, judgeNotRevoked, type Revocations, revocationsOf } from './revocation.ts'

export interface PckChain {
  readonly wellFormed: Judgement
  readonly path: PathResult | undefined
  readonly exact: Judgement
  readonly role: Judgement
  readonly extended: Judgement
  readonly extension: PckExtension | undefined
  readonly platformFields: Judgement
  readonly crlsWellFormed: Judgement
  /** The root's, which revokes PCK CAs and TCB signers. */
  readonly byRoot: Revocations | undefined
  /** The PCK CA's, which revokes PCKs. */
  readonly byCa: Revocations | undefined
  readonly caNotRevoked: Judgement
  readonly notRevoked: Judgement
}

const ROOT_NAME = 'Intel SGX Root CA'
const PCK_NAME = 'Intel SGX PCK Certificate'
const PLATFORM_CA = 'Intel SGX PCK Platform CA'
const PROCESSOR_CA = 'Intel SGX PCK Processor CA'
const CHAIN_LENGTH = 3
const DIGITAL_SIGNATURE = 0

const nothing: PckChain = {
  wellFormed: unreached,
  path: undefined,
  exact: unreached,
  role: unreached,
  extended: unreached,
  extension: undefined,
  platformFields: unreached,
  crlsWellFormed: unreached,
  byRoot: undefined,
  byCa: undefined,
  caNotRevoked: unreached,
  notRevoked: unreached,
}

/** `pem` is the chain as the quote carries it. */
export function judgePckChain(pem: Uint8Array, anchors: AnchorSet, crls: Crls): PckChain {
  let carried: readonly Certificate[]
  try {
    carried = certificatesOfPem(Buffer.from(pem).toString('latin1'), {
      path: 'PCK chain',
      most: CHAIN_LENGTH,
    }).map(decodeCertificate)
  } catch (cause) {
    return { ...nothing, wellFormed: malformation('the PCK chain in the quote', cause) }
  }
  const [leaf, ...candidates] = carried
  if (!leaf) return nothing
  const path = validatePath({
    leaf,
    candidates,
    anchors,
    scheme: ecdsaP256Sha256,
    intermediates: 1,
  })
  const [, ca, root] = path.certificates
  const chain = {
    ...nothing,
    wellFormed: true,
    path,
    exact: judgeExact(carried, path),
    crlsWellFormed: crls.wellFormed,
  } as const
  if (!ca || !root) return chain
  const byRoot = revocationsOf(root, crls)
  const byCa = revocationsOf(ca, crls)
  return {
    ...chain,
    role: judgeRoles(leaf, ca, root),
    ...judgeExtension(leaf, ca),
    byRoot,
    byCa,
    caNotRevoked: judgeNotRevoked(ca, byRoot),
    notRevoked: judgeNotRevoked(leaf, byCa),
  }
}

/** Nothing in a quote goes unread: what it carries is the path and no more, so that no byte of it can be changed unseen. */
function judgeExact(carried: readonly Certificate[], path: PathResult): Judgement {
  const observed = carried.map(({ sha256 }) => sha256)
  const expected = path.certificates.map(({ sha256 }) => sha256)
  return (
    (expected.length === CHAIN_LENGTH && observed.join() === expected.join()) ||
    refuse(
      `the quote carries ${carried.map(({ commonName }) => commonName).join(', ')}; it must carry the PCK certificate, its CA and the pinned root, in this order`,
      observed,
      expected,
    )
  )
}

/** Intel's CAs issue more than one kind of certificate: names tell the kinds apart, and compare for equality. */
function judgeRoles(leaf: Certificate, ca: Certificate, root: Certificate): Judgement {
  const observed = [leaf, ca, root].map(({ commonName }) => commonName)
  if (
    leaf.commonName !== PCK_NAME ||
    (ca.commonName !== PLATFORM_CA && ca.commonName !== PROCESSOR_CA) ||
    root.commonName !== ROOT_NAME
  )
    return refuse(
      `the chain's roles are ${observed.join(' < ')}; a PCK chain is ${PCK_NAME} < ${PLATFORM_CA} or ${PROCESSOR_CA} < ${ROOT_NAME}`,
      observed,
      [PCK_NAME, `${PLATFORM_CA} or ${PROCESSOR_CA}`, ROOT_NAME],
    )
  return (
    leaf.keyUsage?.has(DIGITAL_SIGNATURE) === true ||
    refuse(
      'the PCK certificate is not for digital signatures',
      leaf.keyUsage ? [...leaf.keyUsage] : null,
      'key usage digitalSignature',
    )
  )
}

function judgeExtension(
  leaf: Certificate,
  ca: Certificate,
): Pick<PckChain, 'extended' | 'extension' | 'platformFields'> {
  let extension: PckExtension
  try {
    extension = decodePckExtension(leaf)
  } catch (cause) {
    return {
      extended: malformation('the SGX extension of the PCK certificate', cause),
      extension: undefined,
      platformFields: unreached,
    }
  }
  return { extended: true, extension, platformFields: judgePlatformFields(extension, ca) }
}

function judgePlatformFields({ platform }: PckExtension, { commonName }: Certificate): Judgement {
  return (
    (platform !== undefined) === (commonName === PLATFORM_CA) ||
    refuse(
      `a certificate of ${commonName} ${platform ? 'names' : 'lacks'} a platform instance and its configuration, which are a Platform CA's to certify`,
      platform ? toHex(platform.instanceId) : null,
      commonName === PLATFORM_CA ? 'platform instance id and configuration' : 'neither',
    )
  )
}
