/** What is evidence judged by again? The set that it names, and no other that lies under that name. */
import { expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import type { Endorsements } from '#src/rats/endorsements.ts'
import { keptEndorsements } from '#src/service/kept-endorsements.ts'
import { attestation, attestationOf, snpMachine, tdxMachine } from './fleet.ts'

const machine = snpMachine('one')

test.each<[string, Endorsements | undefined, Endorsements | undefined]>([
  ['the set that it names', machine.endorsements, machine.endorsements],
  ['nothing where that is kept no more', undefined, undefined],
  ['nothing where another’s lies under its name', tdxMachine.endorsements, undefined],
])('evidence is judged again by %s', async (_, parts, expected) => {
  const store = memoryStore()
  const record = attestation({ machine })
  const { endorsementsDigest: digest } = record
  await store.recordAttestation(attestationOf(record, parts && { digest, parts }))
  expect(await keptEndorsements(record, store)).toEqual(expected)
})
