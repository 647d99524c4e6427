/** With what does this verifier show where it runs? The kernel's TSM reports where there are any; in `dev` a simulated machine. */
import type { Attester } from '../../enclave/attestation.ts'
import {
  hasTsm,
  TsmFault,
  type TsmProvider,
  tsmReport,
} from '../../enclave/attester/configfs-tsm.ts'
import { oneAtATime } from '../../enclave/attester/one-at-a-time.ts'
import type { KeyEncryptionSettings } from '../config/key-settings.ts'
import { Problem } from '../problems.ts'
import { noParts } from '../rats/endorsements.ts'
import type { KeyCustody } from '../rats/verifier-claims.ts'
import type { CollectEndorsements } from '../service/collect-endorsements.ts'
import type { SelfAttester, SelfEvidence } from '../service/self-attestation.ts'
import { teeByName } from '../tee/registry.ts'

/** A report takes tens of milliseconds, and seconds where the host limits the rate. */
const TURNS = { mostWaiting: 8, deadlineMs: 10_000 }
const RETRY_SECONDS = 5

const teeOfProvider: Readonly<Record<TsmProvider, string>> = {
  sev_guest: 'sev-snp',
  tdx_guest: 'tdx',
}

/** Undefined where the machine has no TSM interface. It is looked for once: a guest is not moved into a TEE. */
export async function machineAttester(
  collect: CollectEndorsements,
): Promise<SelfAttester | undefined> {
  return (await hasTsm()) ? tsmAttester(tsmReport, collect) : undefined
}

/** `report`: as tsmReport. */
export function tsmAttester(
  report: (request: { readonly inblob: Uint8Array }) => ReturnType<typeof tsmReport>,
  collect: CollectEndorsements,
): SelfAttester {
  const inTurn = oneAtATime(report, { ...TURNS, refusal: failed })
  return {
    kind: 'hardware',
    async attest(reportData): Promise<SelfEvidence> {
      const { provider, outblob, auxblob } = await inTurn({ inblob: reportData }).catch(toProblem)
      const evidence = { quote: outblob, ...(auxblob && { auxblob }) }
      const name = teeOfProvider[provider]
      const tee = teeByName(name)
      // What a vendor does not give now, the relying party may have, or ask for itself.
      const { endorsements } = tee ? await collect(evidence, tee) : { endorsements: noParts }
      return { tee: name, evidence, endorsements }
    },
  }
}

/** For `dev`: the tee is that of the machine on which its agents run too. */
export function simulatedAttester({ attest, endorsements }: Attester): SelfAttester {
  return {
    kind: 'simulated',
    attest: async (reportData) => ({
      tee: 'sev-snp',
      evidence: await attest(reportData),
      endorsements: { ...noParts, ...endorsements },
    }),
  }
}

/** `in-tee` only for a key that was released to an attested key: whoever gives it in a file, a variable or a device has it too. */
const custodyOf: Readonly<Record<KeyEncryptionSettings['keyEncryption']['kind'], KeyCustody>> = {
  secret: 'sealed-outside',
  command: 'sealed-outside',
  transit: 'sealed-outside',
}

/** Whoever has the one before opens what it sealed, or opened it while that was all there was. */
export function keyCustody({
  keyEncryption,
  previousKeyEncryption,
}: KeyEncryptionSettings): KeyCustody {
  const holders = [keyEncryption, ...(previousKeyEncryption ? [previousKeyEncryption] : [])]
  return holders.every(({ kind }) => custodyOf[kind] === 'in-tee') ? 'in-tee' : 'sealed-outside'
}

/** What the kernel said is for operators; it names no secret, and says what to mend. */
function toProblem(cause: unknown): never {
  if (!(cause instanceof TsmFault)) throw cause
  throw cause.kind === 'absent'
    ? new Problem('self-attestation-unavailable', cause.message, { cause })
    : failed(cause.message, cause)
}

function failed(sentence: string, cause?: unknown): Problem {
  return new Problem('self-attestation-failed', sentence, {
    retryAfterSeconds: RETRY_SECONDS,
    cause,
  })
}
