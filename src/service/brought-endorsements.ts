/**
 * No vendor is asked: what came with the evidence is all there is. For tenants that take simulated evidence, since a
 * vendor's real revocation list under a simulated root of the same name could only look forged.
 */
import { endorsements, noParts } from '../rats/endorsements.ts'
import type { CollectEndorsements } from './collect-endorsements.ts'

export const broughtOnly: CollectEndorsements = async (_evidence, _tee, brought = noParts) => ({
  endorsements: endorsements(brought),
  missing: [],
})
