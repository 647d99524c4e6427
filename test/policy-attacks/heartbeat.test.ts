/** Freezing past the heartbeat: what its key may promise, and that nobody makes one without it. */
import { test } from 'vitest'
import {
  alice,
  approval,
  BOT,
  bob,
  carol,
  clockwork,
  dave,
  heartbeatYaml,
  manifest,
  rootSpec,
  rootYaml,
  withHeartbeat,
} from '../git/policy-repository.ts'
import { attackScene, describeAttacks } from './attack-scene.ts'

const files = withHeartbeat('2026-07-01T12:00:00Z')
const beat = (notAfter: string) => ({ 'heartbeat.yaml': heartbeatYaml(notAfter) })
const soon = beat('2026-07-02T00:00:00Z')

describeAttacks('the heartbeat', (transport) => {
  test('for years, by whoever stole its key', async () => {
    const { contrast } = await attackScene(transport, { files })
    await contrast({
      attack: [{ files: beat('2036-01-01T00:00:00Z'), by: clockwork }],
      condition: 'SchemaInvalid',
      says: [/2026-07-03T00:00:00.000Z at the latest/],
      honest: [{ files: soon, by: clockwork }],
    })
  })

  test('by somebody who holds the mirror back and not its key', async () => {
    const { contrast } = await attackScene(transport, { files })
    await contrast({
      attack: [{ files: soon, by: alice }],
      condition: 'UnknownSigner',
      says: [/only the heartbeat's principal clockwork/],
      honest: [{ files: soon, by: clockwork }],
    })
  })

  test('key, for a manifest', async () => {
    const { contrast } = await attackScene(transport, { files })
    const newer = { [BOT]: manifest({ generation: 43 }) }
    await contrast({
      attack: [{ files: { ...soon, ...newer }, by: clockwork }],
      condition: 'UnknownSigner',
      says: [/clockwork may change heartbeat\.yaml and nothing else/],
      honest: [
        { files: soon, by: clockwork },
        { files: newer, by: alice },
      ],
    })
  })

  test('key, for a merge that brings a manifest in', async () => {
    const { repository, refuses, accepts, state } = await attackScene(transport, { files })
    const base = state().commit
    const newer = { [BOT]: manifest({ generation: 43 }) }
    const side = await repository.commit({ files: newer, by: bob, parents: [base] })
    const tree = repository.git('rev-parse', `${side}^{tree}`)
    await repository.commit({ tree, by: clockwork, parents: [base, side] })
    await refuses('UnknownSigner', /nothing else/)
    await repository.commit({ tree, by: alice, parents: [base, side] })
    await accepts()
  })

  test('taken out of the root by one person, so that nobody notices the freeze', async () => {
    const { contrast } = await attackScene(transport, { files })
    const root = rootYaml({ generation: 2 })
    const without = { 'trust/root.yaml': root }
    await contrast({
      attack: [{ files: without }, { files: { 'heartbeat.yaml': null } }],
      condition: 'ApprovalMissing',
      honest: [
        {
          files: {
            ...without,
            ...approval({ path: 'trust/root.yaml', content: root, generation: 2 }, carol),
          },
        },
        { files: { 'heartbeat.yaml': null } },
      ],
    })
  })

  test('made longer in the root, by fewer than the root asks', async () => {
    const { contrast } = await attackScene(transport, { files })
    const heartbeat = { principals: ['clockwork'], grace: '1h', longest: '365d' }
    const root = rootYaml({ generation: 2, spec: { ...rootSpec, heartbeat } })
    const longer = { files: { 'trust/root.yaml': root } }
    const far = { files: beat('2027-01-01T00:00:00Z'), by: clockwork }
    const approved = approval({ path: 'trust/root.yaml', content: root, generation: 2 }, bob)
    await contrast({
      attack: [longer, far],
      condition: 'ApprovalMissing',
      honest: [longer, { files: approved, by: dave }, far],
    })
  })
})
