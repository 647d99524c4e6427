/** Does an agent get its evidence from the kernel as its client wants it? */
import { expect, test } from 'vitest'
import { tsmAttester } from '../../enclave/attester/tsm-attester.ts'
import { kernelInMemory } from './tsm-kernels.ts'

const reportData = new Uint8Array(64).fill(3)

test('the report and its table are the evidence, one report at a time', async () => {
  const { tsm } = await kernelInMemory({ delayMs: 5 })
  const { attest, endorsements } = tsmAttester(tsm)
  const made = await Promise.all([attest(reportData), attest(new Uint8Array(64).fill(4))])
  expect(made.map(({ quote }) => Buffer.from(quote).includes(Buffer.from(reportData)))).toEqual([
    true,
    false,
  ])
  expect(made[0]?.auxblob).toEqual(new Uint8Array(Buffer.from('certificate table')))
  expect(endorsements).toEqual({ certificates: [], crls: [] })
})

test('where there is no such interface, that is said', async () => {
  const { attest } = tsmAttester({ root: '/nowhere' })
  await expect(attest(reportData)).rejects.toMatchObject({ name: 'TsmFault', kind: 'absent' })
})

test('the report is made at the privilege level that was asked for', async () => {
  const { tsm } = await kernelInMemory({})
  const { quote } = await tsmAttester({ ...tsm, privlevel: 2 }).attest(reportData)
  expect(Buffer.from(quote).toString('latin1')).toContain('report at 2')
})
