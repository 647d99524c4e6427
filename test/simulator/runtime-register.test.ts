import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { simulatedTdx } from '../../enclave/simulator/agent.ts'
import { freshChance } from '../../enclave/simulator/mint/fresh.ts'
import { measuredTd, simulatedRegister } from '../../enclave/simulator/runtime-register.ts'
import { emptyCheckpoint, eventDigest, extended } from '../../src/rats/transcript.ts'
import { tdx } from '../../src/tee/dcap/tdx.ts'

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-register-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('is in the quotes of its machine, as a verifier replays it', async () => {
  const register = simulatedRegister()
  const platform = simulatedTdx({ chance: await freshChance(), issued: new Date() })
  const attester = measuredTd(platform, { measurement: new Uint8Array(48).fill(1), register })
  const quoted = async () => {
    const decoded = tdx.decode(await attester.attest(new Uint8Array(64)))
    if ('fault' in decoded) throw new Error(decoded.fault.id)
    return Buffer.from(tdx.runtimeRegister?.(decoded.evidence) ?? []).toString('hex')
  }
  expect(await quoted()).toBe('0'.repeat(96))
  const events = ['{"a":1}', '{"a":2}']
  for (const event of events) await register.extend(Buffer.from(eventDigest(event), 'hex'))
  const empty = emptyCheckpoint({ session: '', boot: '' })
  expect(await quoted()).toBe(extended(empty, { measurement: events, behaviour: [] }).register)
})

it('outlives the process where it is kept in a file', async () => {
  const file = join(folder, 'register')
  await simulatedRegister(file).extend(new Uint8Array(48).fill(7))
  const value = await simulatedRegister(file).read()
  expect(value).not.toEqual(new Uint8Array(48))
  expect(await simulatedRegister(file).read()).toEqual(value)
  writeFileSync(file, 'short')
  await expect(simulatedRegister(file).read()).rejects.toThrow('holds no register')
})
