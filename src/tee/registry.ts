/** Every evidence family that this build verifies. A new TEE is one folder and one line here. */
import type { AnyTee } from '../rats/tee.ts'
import { sgx } from './dcap/sgx.ts'
import { tdx } from './dcap/tdx.ts'
import { sevSnp } from './sev-snp/sev-snp.ts'

export const tees: readonly AnyTee[] = [sevSnp, tdx, sgx]

/** The TEE whose evidence these bytes are meant to be, however broken; undefined when they are nobody's. */
export function teeOf(quote: Uint8Array): AnyTee | undefined {
  return tees.find((tee) => tee.recognises(quote))
}

export function teeByName(name: string): AnyTee | undefined {
  return tees.find((tee) => tee.name === name)
}
