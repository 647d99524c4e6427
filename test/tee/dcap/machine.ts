/** A simulated machine for what recorded evidence cannot show: quotes of every version, certificates with any extension. */
import { type IntelMachine, intelMachine } from '../../../enclave/simulator/intel-machine.ts'
import { seededChance } from '../../../fixtures/seeded.ts'
import { type AnchorSet, anchorSet } from '../../../src/pki/anchor.ts'
import { decodeCertificate } from '../../../src/pki/certificate.ts'

export const ISSUED = new Date('2026-05-20T00:00:00Z')
export const AT = new Date('2026-06-01T00:00:00Z')

export const machine: IntelMachine = intelMachine({ chance: seededChance('dcap'), issued: ISSUED })

export const simulatedRoot: AnchorSet = anchorSet([
  {
    certificate: decodeCertificate(machine.pki.root.der),
    product: undefined,
    assurance: 'simulated',
  },
])
