/**
 * A simulated machine that outlives the program which made it, so that another can attest on it: the chip with its own key and
 * what its host hands out, in one file. Nothing of the vendor's is in it: who has the file is this machine, and can make no other.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import type { Attester } from '../attestation.ts'
import { reporting, simulatedChip, type simulatedSnp } from './agent.ts'
import type { SnpProduct } from './amd-vek.ts'
import { signingKey } from './mint/fresh.ts'
import type { Chance } from './mint/signing.ts'

/** A machine's key is made apart from its vendor's, which are written nowhere. */
export function keptChipKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
}

/** `chance` with this as the only P-384 key: a simulated SNP platform takes one, which is its chip's. */
export function withChipKey(chance: Chance, privateKey: KeyObject): Chance {
  const key = signingKey({ privateKey, publicKey: createPublicKey(privateKey) })
  return { ...chance, p384: () => key }
}

const base64 = z.base64().transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
const kept = z.strictObject({
  simulatedMachine: z.literal(1),
  product: z.enum(['Milan', 'Genoa', 'Turin']),
  hwid: base64,
  vcek: z.string(),
  auxblob: base64,
  crls: z.array(base64),
})

/** JSON text. Holds a private key: for its owner's eyes. */
export function keptMachineText({
  product,
  platform,
  chance,
  privateKey,
}: {
  readonly product: SnpProduct
  readonly platform: ReturnType<typeof simulatedSnp>
  /** That `platform` was made of. */
  readonly chance: Chance
  readonly privateKey: KeyObject
}): string {
  const nothing = { reportData: new Uint8Array(64), measurement: new Uint8Array(48) }
  const { auxblob = new Uint8Array() } = platform.attest(nothing)
  const document = {
    simulatedMachine: 1,
    product,
    hwid: Buffer.from(chance.bytes('hwid', product === 'Turin' ? 8 : 64)).toString('base64'),
    vcek: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    auxblob: Buffer.from(auxblob).toString('base64'),
    crls: platform.endorsements.crls.map((crl) => Buffer.from(crl).toString('base64')),
  } satisfies z.input<typeof kept>
  return `${JSON.stringify(document)}\n`
}

/** Throws TypeError for what is no such text. What it resolves to attests as if `measurement` (48 bytes) was launched on it. */
export function openKeptMachine(text: string): (measurement: Uint8Array) => Attester {
  const { product, hwid, vcek, auxblob, crls } = parsed(text)
  const privateKey = createPrivateKey(vcek)
  const key = signingKey({ privateKey, publicKey: createPublicKey(privateKey) })
  const report = reporting({ chip: simulatedChip(product, hwid), key, auxblob })
  return (measurement) => ({
    attest: (reportData) => report({ reportData, measurement }),
    endorsements: { certificates: [], crls },
  })
}

function parsed(text: string): z.output<typeof kept> {
  try {
    return kept.parse(JSON.parse(text))
  } catch {
    throw new TypeError('it holds no simulated machine')
  }
}
