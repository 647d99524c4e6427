/** One fixture case for two verifiers: as ours reads it, and as the Go libraries do, with the vendor's service around it. */
import { verify } from 'node:crypto'
import { snpProducts } from '../../enclave/simulator/amd-vek.ts'
import { pemOf } from '../../enclave/simulator/pem.ts'
import { encodeVector } from '../../enclave/simulator/vector.ts'
import type { FixtureCase, FixtureScene } from '../../fixtures/cases/case.ts'
import { machine } from '../../fixtures/cases/dcap-machines.ts'
import { pkiOf } from '../../fixtures/cases/snp-machines.ts'
import { toHex } from '../../src/bytes/encoding.ts'
import { derFromBigEndian } from '../../src/pki/ecdsa-value.ts'
import type { SignedCollateral } from '../../src/rats/endorsements.ts'
import { decodeVector } from '../../src/rats/vector.ts'
import { teeByName } from '../../src/tee/registry.ts'
import type { Fixture } from '../vectors/fixture.ts'
import type { GoCase, Published } from './go-verifiers.ts'

export interface Scene extends FixtureCase {
  readonly scene: FixtureScene
}

/** As it is once written to a vector and read again. */
export function fixtureOf({ name, expect, comment, scene }: Scene): Fixture {
  const { tee: teeName, header, evidence, parts, anchors } = scene
  const tee = teeByName(teeName)
  if (!tee) throw new Error(`${name} names an unknown TEE: ${teeName}`)
  const text = encodeVector({
    header: { ...header, tee: teeName, expect, comment },
    ...{ evidence, parts, anchors },
  })
  return { name, tee, vector: decodeVector(text) }
}

/** Whether the verdict rests on what somebody wants, or waives: the Go libraries are not told. */
export function isPolicy({ scene: { header } }: Scene): boolean {
  const { reference, expectations, profile, waivers } = header
  return [reference, expectations, profile, waivers].some((each) => each !== undefined)
}

export function snpCase({ scene }: Scene): GoCase {
  const { header, evidence, parts, anchors } = scene
  const [crl] = parts.crls ?? []
  const products = snpProducts.filter((each) => anchors.some(({ product }) => product === each))
  return {
    kind: 'snp',
    at: header.at,
    evidence: evidence.quote,
    ...(evidence.auxblob && { certificateTable: evidence.auxblob }),
    // go-sev-guest reads the address of the list from the ASK, for a VLEK too, and crashes without one.
    certificates: [...products.map((each) => pkiOf(each).ask.der), ...(parts.certificates ?? [])],
    roots: anchors.map(({ der, product }) => ({ product: product ?? '', certificate: der })),
    published: Object.fromEntries(
      crl
        ? products.map((each) => [`https://kdsintf.amd.com/vcek/v1/${each}/crl`, plain(crl)])
        : [],
    ),
  }
}

const PCS = 'https://api.trustedservices.intel.com'
const ROOT_LIST = 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der'
const { pki } = machine

export function tdxCase({ scene }: Scene): GoCase {
  const { header, evidence, parts, anchors } = scene
  const [tcbInfo] = parts.tcbInfos ?? []
  const [qeIdentity] = parts.qeIdentities ?? []
  const [rootCrl, pckCrl] = listsOf(parts.crls ?? [])
  const issuers = chain('Sgx-Pck-Crl-Issuer-Chain', [pki.platform.der, pki.root.der])
  return {
    kind: 'tdx',
    at: header.at,
    evidence: evidence.quote,
    certificates: [],
    roots: anchors.map(({ der }) => ({ product: '', certificate: der })),
    published: {
      ...(tcbInfo && {
        [`${PCS}/tdx/certification/v4/tcb`]: document('tcbInfo', tcbInfo),
      }),
      ...(qeIdentity && {
        [`${PCS}/tdx/certification/v4/qe/identity`]: document('enclaveIdentity', qeIdentity),
      }),
      ...(pckCrl && {
        [`${PCS}/sgx/certification/v4/pckcrl`]: { header: issuers, body: pckCrl },
      }),
      ...(rootCrl && { [ROOT_LIST]: plain(rootCrl) }),
    },
  }
}

/**
 * The same scene with FMSPCs in lower case, as go-tdx-guest compares them; Intel writes upper case. What the TCB signer had
 * signed it signs again; what it had not stays as it is, forged as before.
 */
export function inLowerCase(each: Scene): Scene {
  const { scene } = each
  const tcbInfos = scene.parts.tcbInfos?.map(lowerCase)
  return { ...each, scene: { ...scene, parts: { ...scene.parts, ...(tcbInfos && { tcbInfos }) } } }
}

function lowerCase(collateral: SignedCollateral): SignedCollateral {
  const { body, signature } = collateral
  const der = derFromBigEndian(signature.subarray(0, 32), signature.subarray(32))
  if (!verify('sha256', body, pki.tcbSigner.publicKey, der)) return collateral
  const text = Buffer.from(body)
    .toString()
    .replace(/"fmspc":"\w+"/, (member) => member.toLowerCase())
  return { ...machine.sign(text), issuerChain: collateral.issuerChain }
}

const ISSUER_CHAINS = {
  tcbInfo: 'Tcb-Info-Issuer-Chain',
  enclaveIdentity: 'Sgx-Enclave-Identity-Issuer-Chain',
} as const

/** As PCS v4 answers: the signed text and its signature in one object, the signer's chain in a header. */
function document(
  member: keyof typeof ISSUER_CHAINS,
  { body, signature, issuerChain }: SignedCollateral,
): Published {
  const [signer = pki.tcbSigner.der, root = pki.root.der] = issuerChain
  const text = `{"${member}":${Buffer.from(body)},"signature":"${toHex(signature)}"}`
  return { header: chain(ISSUER_CHAINS[member], [signer, root]), body: Buffer.from(text) }
}

function chain(header: string, certificates: readonly Uint8Array[]): Published['header'] {
  return { [header]: [encodeURIComponent(pemOf(certificates))] }
}

/** The root's list and the PCK CA's; a list of neither counts as the latter. */
function listsOf(crls: readonly Uint8Array[]) {
  const isRoots = (crl: Uint8Array) => Buffer.from(crl).includes('Intel SGX Root CA')
  return [crls.find(isRoots), crls.find((crl) => !isRoots(crl))] as const
}

const plain = (body: Uint8Array): Published => ({ header: {}, body })
