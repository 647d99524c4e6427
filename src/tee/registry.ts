/** Every evidence family that this build verifies. A new TEE is one folder and one line here. */
import type { AnyTee } from '../rats/tee.ts'
import { sgx } from './dcap/sgx.ts'
import { tdx } from './dcap/tdx.ts'
import { sample } from './sample/sample.ts'
import { sevSnp } from './sev-snp/sev-snp.ts'

export const tees: readonly AnyTee[] = [sevSnp, tdx, sgx]

/** The TEE whose evidence these bytes are meant to be, however broken; undefined when they are nobody's. */
export function teeOf(quote: Uint8Array): AnyTee | undefined {
  return tees.find((tee) => tee.recognises(quote))
}

export function teeByName(name: string): AnyTee | undefined {
  return tees.find((tee) => tee.name === name)
}

/**
 * What records of earlier decisions may name: also what nobody signs, and only the Key Broker face takes, where that is
 * switched on. Never for what a request says.
 */
export const recordedTees: readonly AnyTee[] = [...tees, sample]

export function recordedTeeByName(name: string): AnyTee | undefined {
  return recordedTees.find((tee) => tee.name === name)
}
