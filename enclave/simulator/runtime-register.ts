/**
 * RTMR3 of a simulated machine: extended as the kernel extends the real one, and carried by the quotes of the same machine. In a
 * file it outlives the process, as a register outlives every process until the machine starts anew.
 */
import { createHash } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { TdBody } from '../../src/tee/dcap/layouts.ts'
import type { Attester } from '../attestation.ts'
import type { MeasurementRegister } from '../attester/tsm-mr.ts'
import type { SimulatedPlatform } from './agent.ts'

const SIZE = 48

/** Zero at first. `file`: absent, it lives as long as this value. */
export function simulatedRegister(file?: string): MeasurementRegister {
  let value = new Uint8Array(SIZE)
  const read = () => {
    if (file !== undefined) value = kept(file) ?? value
    return value
  }
  return {
    name: 'rtmr3',
    read: async () => new Uint8Array(read()),
    async extend(digest) {
      if (digest.length !== SIZE) throw new RangeError(`${digest.length} bytes and not ${SIZE}`)
      value = new Uint8Array(createHash('sha384').update(read()).update(digest).digest())
      if (file === undefined) return
      writeFileSync(`${file}.new`, value, { mode: 0o600 })
      renameSync(`${file}.new`, file)
    },
  }
}

/** Evidence of a simulated TD in which `measurement` was launched, with the register as it is when the quote is made. */
export function measuredTd(
  platform: SimulatedPlatform<TdBody>,
  {
    measurement,
    register,
  }: { readonly measurement: Uint8Array; readonly register: MeasurementRegister },
): Attester {
  return {
    async attest(reportData) {
      const rtmr3 = await register.read()
      return platform.attest({ reportData, measurement, fields: { rtmr3 } })
    },
    endorsements: platform.endorsements,
  }
}

function kept(file: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const bytes = new Uint8Array(readFileSync(file))
    if (bytes.length !== SIZE) throw new TypeError(`${file} holds no register`)
    return bytes
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw cause
  }
}
