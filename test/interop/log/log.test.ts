import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { httpWitness } from '#src/adapters/log-witness.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { toHex } from '#src/bytes/encoding.ts'
import { parseVerifierKey } from '#src/log/note-key.ts'
import { logWitnesses } from '#src/service/log-witnesses.ts'
import { folder, type ListeningWitness, listeningWitness } from '../../cli/log-commands.ts'
import { type RunningService, runService } from '../../http/running-service.ts'
import { decide } from '../../service/log-scene.ts'
import { type Altering, altering } from './altering.ts'
import { goLog } from './go-log.ts'

const go = goLog()
const title = 'Go’s sumdb and transparency-dev’s merkle and formats'

describe.skipIf(go.missing !== undefined)(
  go.missing === undefined ? title : `${title} (skipped: ${go.missing})`,
  () => {
    let service: RunningService
    let between: Altering
    let witness: ListeningWitness
    let key = ''
    let older = ''
    const store = memoryStore()
    const leaves: string[] = []

    beforeAll(async () => {
      service = await runService({ store })
      key = (await (await fetch(`${service.url}/v1/log/key`)).text()).trim()
      for (let n = 0; n < 300; n++) leaves.push(toHex((await decide(store)).leafHash))
      for (let n = 0; n < 5; n++) leaves.push(toHex((await decide(store, 'refused')).leafHash))
      await service.chores('log')
      older = await (await fetch(`${service.url}/v1/log/checkpoint`)).text()
      for (let n = 0; n < 400; n++) leaves.push(toHex((await decide(store)).leafHash))
      await service.chores('log')
      between = await altering(service.url)
      const directory = await folder()
      witness = await listeningWitness([
        ...['--url', service.url, '--key', key, '--name', 'witness.example/w1'],
        ...['--key-file', join(directory, 'key'), '--state', join(directory, 'state')],
      ])
    })
    afterAll(async () => {
      await witness.stop()
      await between.close()
      await service.close()
    })

    const some = () => [0, 1, 255, 256, 299, 300, 304, 305, 561, 704].map((n) => leaves[n] ?? '')
    const question = () => ({ prefix: `${between.url}/v1/log`, key, older, leaves: some() })

    test('accept the checkpoint, every entry and tile, the proofs of issuances and denials, and consistency', async () => {
      between.alter('/nothing', (body) => body)
      expect(await go.ask(question())).toEqual({ size: 701, cosigners: [], error: '' })
    })

    const flip = (at: number) => (body: Buffer) => {
      const copy = Buffer.from(body)
      copy[at < 0 ? copy.length + at : at] = (copy.at(at) ?? 0) ^ 1
      return copy
    }
    const json =
      (change: (proof: { index: number; path: string[]; proof: string[] }) => void) =>
      (body: Buffer) => {
        const document = JSON.parse(body.toString())
        change(document)
        return Buffer.from(JSON.stringify(document))
      }

    test.each<[string, string, (body: Buffer) => Buffer, RegExp]>([
      [
        'a checkpoint of another size',
        'checkpoint',
        (body) => Buffer.from(body.toString().replace('\n701\n', '\n700\n')),
        /^checkpoint: invalid signature/,
      ],
      ['an entry', 'tile/entries/001', flip(-3), /^entries: entry 511 hashes to something else/],
      [
        'a bundle that is cut off',
        'tile/entries/002',
        (body) => body.subarray(0, -1),
        /^entries: entry 700 is cut off/,
      ],
      ['a leaf hash', 'tile/0/001', flip(40), /^entries: .*(inconsistent|bad)/i],
      ['a hash of an upper tile', 'tile/1/000', flip(0), /^entries: .*(inconsistent|bad)/i],
      [
        'the index in a proof',
        'proof',
        json((proof) => (proof.index ^= 1)),
        /^leaf [0-9a-f]{64}: sumdb/,
      ],
      [
        'a path in a proof',
        'proof',
        json(({ path }) => path.reverse()),
        /^leaf [0-9a-f]{64}: sumdb/,
      ],
      [
        'a proof of consistency',
        'consistency',
        json(({ proof }) => proof.reverse()),
        /^consistency: sumdb/,
      ],
    ])('refuse %s that was altered', async (_, path, change, error) => {
      between.alter(`/v1/log/${path}`, change)
      expect((await go.ask(question())).error).toMatch(error)
    })

    test('accept a cosignature that our witness gives to what they submit', async () => {
      between.alter('/nothing', (body) => body)
      const asked = { ...question(), witnesses: [witness.key], submit: witness.url }
      expect((await go.ask(asked)).error).toBe('')
      expect((await go.ask(asked)).error).toContain('it answered 409: 701')
    })

    test('accept the cosignature that the service gets and serves', async () => {
      const { verifier } = service
      const logKey = async () => parseVerifierKey(await verifier.log.verifierKey())
      const parts = { ...verifier, logKey, rollback: () => {} }
      const cosigning = logWitnesses(parts, [httpWitness({ url: witness.url, key: witness.key })])
      await cosigning.run()
      const head = await store.logHead()
      if (!head) throw new Error('no head')
      between.alter('/v1/log/checkpoint', () => Buffer.from(cosigning.cosigned(head)))
      const answer = await go.ask({ ...question(), witnesses: [witness.key] })
      expect(answer).toEqual({ size: 701, cosigners: ['witness.example/w1'], error: '' })
      expect(service.journal.filter(({ event }) => event === 'log.witnesses')).toEqual([])
    })
  },
)
