/**
 * A loopback server that plays AMD KDS, Intel PCS and a PCCS with the simulator's PKI, well or badly: any address can be
 * given another answer. Addresses and headers are written out here, from the vendors' documents, and not taken from the
 * clients that are tested against it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AmdPki, amdPki } from '../../enclave/simulator/amd.ts'
import type { SnpProduct } from '../../enclave/simulator/amd-vek.ts'
import { type IntelMachine, intelMachine } from '../../enclave/simulator/intel-machine.ts'
import { pemOf } from '../../enclave/simulator/pem.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { toHex } from '../../src/bytes/encoding.ts'
import type { SignedCollateral } from '../../src/rats/endorsements.ts'
import type { Tcb } from '../../src/tee/sev-snp/tcb.ts'

export type Answer = (response: ServerResponse, request: IncomingMessage) => void

export interface VendorServer {
  readonly base: string
  /** Path and query of every request, in order. */
  readonly requests: readonly string[]
  /** From now on, what this path and query gets. Undefined: the usual again. */
  readonly answer: (address: string, answer: Answer | undefined) => void
  readonly close: () => Promise<void>
}

/** The vendors: everything that they publish was issued at `issued`. */
export interface Vendors {
  readonly issued: Date
  readonly amd: Readonly<Record<SnpProduct, AmdPki>>
  readonly intel: IntelMachine
}

export function vendors(issued: Date, seed = 'vendors'): Vendors {
  const chance = seededChance(seed)
  const amd = (product: SnpProduct) => amdPki({ chance, product, issued })
  return {
    issued,
    amd: { Milan: amd('Milan'), Genoa: amd('Genoa'), Turin: amd('Turin') },
    intel: intelMachine({ chance, issued }),
  }
}

/** The one Milan chip and the one Turin chip that AMD has sold. */
export const chance = seededChance('chips')
export const milanChip = {
  hwid: chance.bytes('milan', 64),
  tcb: { bootloader: 4, tee: 0, snp: 24, microcode: 219 },
} as const
export const turinChip = {
  hwid: chance.bytes('turin', 8),
  tcb: { fmc: 1, bootloader: 2, tee: 3, snp: 4, microcode: 84 },
} as const
export const FMSPC = 'b0c06f000000'

const parameters = {
  Milan: ({ bootloader, tee, snp, microcode }: Tcb) =>
    `blSPL=${two(bootloader)}&teeSPL=${two(tee)}&snpSPL=${two(snp)}&ucodeSPL=${two(microcode)}`,
  Turin: ({ fmc, ...tcb }: Tcb): string => `fmcSPL=${two(fmc)}&${parameters.Milan(tcb)}`,
}
const two = (value: number | undefined) => String(value).padStart(2, '0')

export const addresses = {
  milanChain: '/vcek/v1/Milan/cert_chain',
  milanCrl: '/vcek/v1/Milan/crl',
  milanVcek: `/vcek/v1/Milan/${toHex(milanChip.hwid)}?${parameters.Milan(milanChip.tcb)}`,
  turinVcek: `/vcek/v1/Turin/${toHex(turinChip.hwid)}?${parameters.Turin(turinChip.tcb)}`,
  tdxTcb: `/tdx/certification/v4/tcb?fmspc=${FMSPC.toUpperCase()}&update=standard`,
  sgxTcb: `/sgx/certification/v4/tcb?fmspc=${FMSPC.toUpperCase()}&update=standard`,
  tdxQe: '/tdx/certification/v4/qe/identity?update=standard',
  sgxQe: '/sgx/certification/v4/qe/identity?update=standard',
  platformCrl: '/sgx/certification/v4/pckcrl?ca=platform&encoding=der',
  processorCrl: '/sgx/certification/v4/pckcrl?ca=processor&encoding=der',
  rootCrl: '/IntelSGXRootCA.der',
  pccsRootCrl: '/sgx/certification/v4/rootcacrl',
} as const

export async function vendorServer(published: Vendors): Promise<VendorServer> {
  const usual = usualAnswers(published)
  const others = new Map<string, Answer>()
  const requests: string[] = []
  const server = createServer((request, response) => {
    const address = request.url ?? ''
    requests.push(address)
    const answer = others.get(address) ?? usual.get(address) ?? status(404)
    answer(response, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A server that listens on TCP has an AddressInfo.
  const { port } = server.address() as AddressInfo
  return {
    base: `http://127.0.0.1:${port}`,
    requests,
    answer(address, answer) {
      if (answer) others.set(address, answer)
      else others.delete(address)
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Minted when first asked for: each AMD certificate costs an RSA signature. */
function usualAnswers({ amd, intel }: Vendors): ReadonlyMap<string, Answer> {
  const answers = new Map<string, Answer>()
  for (const product of ['Milan', 'Genoa', 'Turin'] as const) {
    const pki = amd[product]
    const chains = { vcek: () => pki.ask, vlek: () => pki.asvk }
    for (const key of ['vcek', 'vlek'] as const) {
      const chain = once(() => Buffer.from(pemOf([chains[key]().der, pki.ark.der])))
      answers.set(`/${key}/v1/${product}/cert_chain`, lazy(chain, 'application/x-pem-file'))
      const crl = once(() => pki.crl())
      answers.set(`/${key}/v1/${product}/crl`, lazy(crl, 'application/pkix-crl'))
    }
  }
  const milan = once(() => amd.Milan.vcek(milanChip).der)
  const turin = once(() => amd.Turin.vcek(turinChip).der)
  answers.set(addresses.milanVcek, lazy(milan, 'application/pkix-cert'))
  answers.set(addresses.turinVcek, lazy(turin, 'application/pkix-cert'))

  for (const tee of ['sgx', 'tdx'] as const) {
    answers.set(addresses[`${tee}Tcb`], tcbInfo(intel.sign(intel.tcbInfo(tee))))
    answers.set(addresses[`${tee}Qe`], qeIdentity(intel.sign(intel.qeIdentity(tee))))
  }
  const { pki } = intel
  answers.set(addresses.platformCrl, body(pki.pckCrl(pki.platform)))
  answers.set(addresses.processorCrl, body(pki.pckCrl(pki.processor)))
  answers.set(addresses.rootCrl, body(pki.rootCrl()))
  answers.set(addresses.pccsRootCrl, body(Buffer.from(toHex(pki.rootCrl()))))
  return answers
}

export const tcbInfo = (signed: SignedCollateral) =>
  collateral('tcbInfo', 'TCB-Info-Issuer-Chain', signed)
export const qeIdentity = (signed: SignedCollateral) =>
  collateral('enclaveIdentity', 'SGX-Enclave-Identity-Issuer-Chain', signed)

function collateral(member: string, header: string, signed: SignedCollateral): Answer {
  const text = `{"${member}":${Buffer.from(signed.body)},"signature":"${toHex(signed.signature)}"}`
  return body(Buffer.from(text), {
    'content-type': 'application/json',
    [header]: encodeURIComponent(pemOf(signed.issuerChain)),
  })
}

export function body(bytes: Uint8Array, headers: Readonly<Record<string, string>> = {}): Answer {
  return (response) => response.writeHead(200, headers).end(bytes)
}

function lazy(bytes: () => Uint8Array, contentType: string): Answer {
  return (response, request) => body(bytes(), { 'content-type': contentType })(response, request)
}

export function status(code: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return (response) => response.writeHead(code, headers).end('{"message":"no"}')
}

/** Takes the request and says nothing, ever. */
export const hang: Answer = () => {}

/** One byte at once and then nothing. */
export const hangInBody: Answer = (response) => {
  response.writeHead(200).write('x')
}

/** Says how long it will be and closes the connection before that. */
export function truncated(bytes: Uint8Array): Answer {
  return (response) => {
    response.writeHead(200, { 'content-length': String(bytes.length) })
    response.write(bytes.subarray(0, bytes.length - 1), () => response.destroy())
  }
}

/** As much as the client takes. */
export const endless: Answer = (response) => {
  const chunk = Buffer.alloc(64 * 1024)
  const pour = () => {
    while (!response.destroyed && response.write(chunk));
  }
  response.writeHead(200).on('drain', pour)
  pour()
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}
