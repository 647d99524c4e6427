/**
 * What can be asked of AMD and Intel, and how is it named? One text per document: cache key, bundle entry and log line.
 * Chip ids, TCBs and FMSPCs come out of evidence that nobody has authenticated: they reach a name, and from there an
 * address or a file, only in the exact forms below.
 */
import { fromHex, isZero, toHex } from '../bytes/encoding.ts'
import { type Product, productOfCertificate } from '../tee/sev-snp/product.ts'
import { describeTcb, type Tcb, tcbOf } from '../tee/sev-snp/tcb.ts'

/** The keys that sign reports; each has an intermediate, and a revocation list, of its own. */
export type AmdKey = 'vcek' | 'vlek'
export type IntelTee = 'sgx' | 'tdx'
export type PckCa = 'platform' | 'processor'

export type AmdSubject =
  | { readonly document: 'amd-cert-chain'; readonly product: string; readonly key: AmdKey }
  | { readonly document: 'amd-crl'; readonly product: string; readonly key: AmdKey }
  | {
      readonly document: 'amd-vcek'
      readonly product: string
      /** Hardware id, lower-case hex: 64 bytes, on Turin 8. */
      readonly chipId: string
      /** REPORTED_TCB as the report has it, 8 bytes in lower-case hex. */
      readonly tcb: string
    }

export type IntelSubject =
  | {
      readonly document: 'intel-tcb-info'
      readonly tee: IntelTee
      /** 6 bytes, lower-case hex. */
      readonly fmspc: string
    }
  | { readonly document: 'intel-qe-identity'; readonly tee: IntelTee }
  | { readonly document: 'intel-pck-crl'; readonly ca: PckCa }
  | { readonly document: 'intel-root-crl' }

export type EndorsementSubject = AmdSubject | IntelSubject

export const amdProducts = ['Milan', 'Genoa', 'Turin'] as const
export const amdKeys = ['vcek', 'vlek'] as const
export const intelTees = ['sgx', 'tdx'] as const
export const pckCas = ['platform', 'processor'] as const

/** Throws TypeError for a subject that `subjectOf` would not read back: whoever made it let something unchecked through. */
export function nameOf(subject: EndorsementSubject): string {
  const name = spelled(subject)
  if (!subjectOf(name)) throw new TypeError(`not the name of an endorsement: ${name.slice(0, 200)}`)
  return name
}

function spelled(subject: EndorsementSubject): string {
  switch (subject.document) {
    case 'amd-cert-chain':
      return `amd/${subject.product}/${subject.key}/cert_chain`
    case 'amd-crl':
      return `amd/${subject.product}/${subject.key}/crl`
    case 'amd-vcek':
      return `amd/${subject.product}/vcek/${subject.chipId}/${subject.tcb}`
    case 'intel-tcb-info':
      return `intel/${subject.tee}/tcb/${subject.fmspc}`
    case 'intel-qe-identity':
      return `intel/${subject.tee}/qe/identity`
    case 'intel-pck-crl':
      return `intel/crl/${subject.ca}`
    case 'intel-root-crl':
      return 'intel/crl/root'
  }
}

/** Undefined unless `name` is exactly what `nameOf` would write for something that a vendor could have. */
export function subjectOf(name: string): EndorsementSubject | undefined {
  const subject = parsed(name)
  return subject && spelled(subject) === name ? subject : undefined
}

function parsed(name: string): EndorsementSubject | undefined {
  const [vendor, first = '', second = '', third = '', fourth = ''] = name.split('/')
  if (vendor === 'amd') return amdSubject(first, second, third, fourth)
  return vendor === 'intel' ? intelSubject(first, second, third) : undefined
}

function amdSubject(
  line: string,
  keyText: string,
  last: string,
  tcb: string,
): AmdSubject | undefined {
  const product = amdProducts.find((each) => each === line)
  const key = amdKeys.find((each) => each === keyText)
  if (product === undefined || key === undefined) return undefined
  if (tcb !== '')
    return key === 'vcek' && isVcek(product, last, tcb)
      ? { document: 'amd-vcek', product, chipId: last, tcb }
      : undefined
  if (last === 'cert_chain') return { document: 'amd-cert-chain', product, key }
  return last === 'crl' ? { document: 'amd-crl', product, key } : undefined
}

function isVcek(product: string, chipId: string, tcb: string): boolean {
  const { hwidSize } = productNamed(product)
  const hwid = lowerHex(chipId)
  // A chip id of zeros is one that the host masked (MASK_CHIP_KEY).
  return hwid?.length === hwidSize && !isZero(hwid) && tcbOfName(product, tcb) !== undefined
}

function intelSubject(first: string, second: string, third: string): IntelSubject | undefined {
  const tee = intelTees.find((each) => each === first)
  if (tee !== undefined) {
    if (second === 'qe' && third === 'identity') return { document: 'intel-qe-identity', tee }
    return second === 'tcb' && lowerHex(third)?.length === 6
      ? { document: 'intel-tcb-info', tee, fmspc: third }
      : undefined
  }
  if (first !== 'crl') return undefined
  const ca = pckCas.find((each) => each === second)
  if (ca !== undefined) return { document: 'intel-pck-crl', ca }
  return second === 'root' ? { document: 'intel-root-crl' } : undefined
}

/** `product` is one of `amdProducts`; AMD's table of them is the TEE's. Throws for any other. */
function productNamed(product: string): Product {
  const found = productOfCertificate(product)
  if (found?.name !== product) throw new TypeError(`${product} is not a product line`)
  return found
}

/**
 * Components of a REPORTED_TCB in hex. Undefined unless every byte that is not a component is zero: otherwise one VCEK
 * would have 2^32 names, each good for a fetch of its own.
 */
export function tcbOfName(product: string, hex: string): Tcb | undefined {
  const raw = lowerHex(hex)
  if (raw?.length !== 8) return undefined
  const { tcbBytes } = productNamed(product)
  const used = new Set<number>(Object.values(tcbBytes))
  return raw.every((byte, at) => byte === 0 || used.has(at))
    ? tcbOf(raw, productNamed(product))
    : undefined
}

/** Evidence chooses among these without limit, so obtaining them draws on a budget, and a vendor may truly not have one. */
export function isNamedByEvidence({ document }: EndorsementSubject): boolean {
  return document === 'amd-vcek' || document === 'intel-tcb-info'
}

export function isAmd(subject: EndorsementSubject): subject is AmdSubject {
  return subject.document.startsWith('amd-')
}

/** For people: `the VCEK of Milan chip 3ac3fe21... (bootloader 3, tee 0, snp 8, microcode 115)`. */
export function titleOf(subject: EndorsementSubject): string {
  switch (subject.document) {
    case 'amd-cert-chain':
      return `AMD's ${subject.key.toUpperCase()} chain for ${subject.product}`
    case 'amd-crl':
      return `AMD's ${subject.key.toUpperCase()} revocation list for ${subject.product}`
    case 'amd-vcek': {
      const tcb = tcbOfName(subject.product, subject.tcb) ?? {}
      return `the VCEK of ${subject.product} chip ${subject.chipId.slice(0, 16)}... (${describeTcb(tcb)})`
    }
    case 'intel-tcb-info':
      return `Intel's ${subject.tee.toUpperCase()} TCB info for FMSPC ${subject.fmspc}`
    case 'intel-qe-identity':
      return `Intel's ${subject.tee.toUpperCase()} QE identity`
    case 'intel-pck-crl':
      return `the revocation list of Intel's PCK ${subject.ca} CA`
    case 'intel-root-crl':
      return "the revocation list of Intel's SGX root"
  }
}

/** One spelling per value: upper case would make a second name for the same chip. */
function lowerHex(text: string): Uint8Array | undefined {
  const bytes = fromHex(text)
  return bytes && toHex(bytes) === text ? bytes : undefined
}
