/** Evidence about the very machine that the agent runs on, as the client wants it: the kernel's report, one at a time. */
import type { Attester } from '../attestation.ts'
import { TsmFault, type TsmInterface, type TsmRequest, tsmReport } from './configfs-tsm.ts'
import { oneAtATime } from './one-at-a-time.ts'

/** A report takes tens of milliseconds, and seconds where the host limits the rate. */
const TURNS = { mostWaiting: 8, deadlineMs: 30_000 }

/**
 * What `attest` rejects with is a TsmFault: `absent` on a machine without such an interface. Certificates come in the report's
 * own table, or the service asks the vendor for them.
 */
export function tsmAttester({
  privlevel,
  ...tsm
}: TsmInterface & Pick<TsmRequest, 'privlevel'> = {}): Attester {
  const inTurn = oneAtATime(
    async (reportData: Uint8Array) =>
      await tsmReport({ inblob: reportData, ...(privlevel !== undefined && { privlevel }) }, tsm),
    { ...TURNS, refusal: (sentence) => new TsmFault('busy', sentence) },
  )
  return {
    async attest(reportData) {
      const { outblob, auxblob } = await inTurn(reportData)
      return { quote: outblob, ...(auxblob && { auxblob }) }
    },
    endorsements: { certificates: [], crls: [] },
  }
}
