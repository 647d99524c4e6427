/** Which recorded event logs are at hand? They are other people's evidence, kept beside the repository and never in it. */
import { existsSync, readFileSync } from 'node:fs'
import type { Rtmrs } from '../../../../src/tee/dcap/event-log/replay.ts'

const folder = new URL('../../../../../shared/vectors/', import.meta.url)

export const RECORDED = {
  cos113: 'google+go-tdx-guest/ccel_ccel_data.dat',
  grub: 'confidential-containers+trustee/CCEL_data_grub',
  ovmf: 'confidential-containers+trustee/CCEL_data_ovmf',
  dstack: 'Dstack-TEE+dstack/ccel.bin',
} as const

export const COS113_QUOTE = 'google+go-tdx-guest/cos113-tdx-v4.quote.bin'

/** For `describe.skipIf`. */
export const absent = !existsSync(folder)
export const skipNote = absent ? ' (skipped: no recorded evidence at ../shared/vectors)' : ''

export function recorded(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(path, folder)))
}

/** RTMR0 to RTMR3 of a version 4 TD quote: header 48 bytes, then the TD body with the registers at 328. */
export function rtmrsOf(quote: Uint8Array): Rtmrs {
  const at = (n: number) => quote.subarray(48 + 328 + 48 * n, 48 + 328 + 48 * (n + 1))
  return [at(0), at(1), at(2), at(3)]
}
