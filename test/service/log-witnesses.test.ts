import { expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { TREE_SIZE_TYPE } from '#src/log/add-checkpoint.ts'
import { checkpointText, openCheckpoint } from '#src/log/checkpoint.ts'
import type { TreeHead } from '#src/log/consistency.ts'
import { noteOf, signatureLine } from '#src/log/note.ts'
import { type NoteSigner, noteSigner, parseVerifierKey } from '#src/log/note-key.ts'
import { judgeSubmission } from '#src/log/witness.ts'
import type { Witness, WitnessAnswer } from '#src/service/log-witnesses.ts'
import type { Store } from '#src/service/ports.ts'
import { AT, checkpointOf, decide, openedLog } from './log-scene.ts'

const TEXT = 'text/plain'
const signer = noteSigner('witness', 'witness.example/w', new Uint8Array(32).fill(8))

/** As `vouchsafe log witness` judges, without its disk and network. */
function honest(by: NoteSigner = signer) {
  let latest: TreeHead | undefined
  let logKey = ''
  const asked: string[] = []
  let note: string | undefined
  const witness: Witness = {
    key: by.key,
    latest: async () => note,
    async submit(body) {
      asked.push(body.split('\n')[0] ?? '')
      const judged = judgeSubmission(body, { log: parseVerifierKey(logKey), latest })
      if (judged.status === 409)
        return { status: 409, contentType: TREE_SIZE_TYPE, body: `${judged.size}\n` }
      if (judged.status !== 200) return { status: judged.status, contentType: TEXT, body: '' }
      latest = judged.head
      note = body.slice(body.indexOf('\n\n') + 2)
      return { status: 200, contentType: TEXT, body: signatureLine(judged.text, by, AT) }
    },
  }
  return {
    witness,
    asked,
    watch: (key: string) => (logKey = key),
    hasSeen: (head: TreeHead) => (latest = head),
  }
}

async function scene(witnesses: readonly Witness[]) {
  const store = memoryStore()
  const opened = await openedLog(store, { witnesses })
  const grow = async () => {
    await decide(store)
    await opened.sequence()
  }
  const cosigned = async () => {
    const { head } = await checkpointOf(store)
    const key = parseVerifierKey(await opened.log.verifierKey())
    const keys = { log: key, witnesses: witnesses.map((each) => each.key) }
    return openCheckpoint(opened.log.cosigned(head), keys).cosignatures
  }
  const told = () =>
    opened.journal
      .filter(({ event }) => event === 'log.witnesses')
      .map(({ fields }) => fields?.state)
  return { ...opened, store, grow, cosigned, told, show: () => opened.chore('log-witnesses').run() }
}

test('each checkpoint is shown with a proof from the last one, and served with the cosignature', async () => {
  const { witness, watch, asked } = honest()
  const { log, grow, show, cosigned, told } = await scene([witness])
  watch(await log.verifierKey())
  for (let n = 0; n < 3; n++) {
    await grow()
    await show()
    expect(await cosigned()).toHaveLength(1)
  }
  expect(asked).toEqual(['old 0', 'old 1', 'old 2'])
  expect(told()).toEqual([])
})

test('a checkpoint that is newer than its cosignature goes without', async () => {
  const { witness, watch } = honest()
  const { log, grow, show, cosigned } = await scene([witness])
  watch(await log.verifierKey())
  await show()
  await grow()
  expect(await cosigned()).toEqual([])
})

test('a log that stands still is shown again after five minutes, and not before', async () => {
  const { witness, watch, asked } = honest()
  const { log, grow, show, clock } = await scene([witness])
  watch(await log.verifierKey())
  await grow()
  await show()
  await show()
  clock.at = new Date(AT.getTime() + 299_000)
  await show()
  expect(asked).toEqual(['old 0'])
  clock.at = new Date(AT.getTime() + 301_000)
  await show()
  expect(asked).toEqual(['old 0', 'old 1'])
})

test('a service that has forgotten what was cosigned asks the witness', async () => {
  const { witness, watch, asked } = honest()
  const first = await scene([witness])
  watch(await first.log.verifierKey())
  await first.grow()
  await first.show()
  await first.grow()
  const again = await openedLog(first.store, { witnesses: [witness] })
  await again.chore('log-witnesses').run()
  expect(asked).toEqual(['old 0', 'old 0', 'old 1'])
})

test.each<[string, WitnessAnswer | Error, string]>([
  ['is away', new Error('connect ECONNREFUSED'), 'connect ECONNREFUSED'],
  ['knows nothing of this log', { status: 404, contentType: TEXT, body: 'no' }, 'answered 404'],
  ['answers nothing', { status: 200, contentType: TEXT, body: '' }, 'without a cosignature by'],
  [
    'answers nonsense',
    { status: 200, contentType: TEXT, body: '\u2014 witness.example/w AAAA\n' },
    'not of the form',
  ],
  [
    'signs something else',
    { status: 200, contentType: TEXT, body: signatureLine('other\n', signer, AT) },
    'does not hold',
  ],
  [
    'is somebody else',
    {
      status: 200,
      contentType: TEXT,
      body: signatureLine(
        'x\n',
        noteSigner('witness', 'witness.example/w', new Uint8Array(32)),
        AT,
      ),
    },
    'without a cosignature by',
  ],
])('a witness that %s is told once, and holds up nothing', async (_, answer, state) => {
  const silent: Witness = {
    key: signer.key,
    latest: async () => undefined,
    submit: async () => {
      if (answer instanceof Error) throw answer
      return answer
    },
  }
  const other = noteSigner('witness', 'witness.example/2', new Uint8Array(32).fill(5))
  const { witness, watch } = honest(other)
  const { log, grow, show, cosigned, told } = await scene([silent, witness])
  watch(await log.verifierKey())
  await grow()
  await show()
  await show()
  expect(told()).toEqual([expect.stringContaining(state)])
  expect((await cosigned()).map(({ witness: by }) => by.name)).toEqual(['witness.example/2'])
  expect(log.fault()).toBeUndefined()
})

test('a witness that saw more, or something else, is told as what it is', async () => {
  const { witness, watch, hasSeen } = honest()
  const { log, grow, show, told, store } = await scene([witness])
  watch(await log.verifierKey())
  await grow()
  hasSeen({ size: 40, root: new Uint8Array(32) })
  await show()
  const { size } = await checkpointOf(store)
  hasSeen({ size, root: new Uint8Array(32) })
  await show()
  expect(told()).toEqual([
    'cosigned 40 leaves, and the log has 1: the log is older than what it told before',
    'cosigned another log of 1 leaves: compare its state with this log before anything else',
  ])
})

test('a database that was restored while nobody ran is not continued: a witness holds what was signed since', async () => {
  const { witness, watch } = honest()
  const first = await scene([witness])
  watch(await first.log.verifierKey())
  await first.grow()
  const backup = await copyOf(first.store)
  await first.grow()
  await first.show()

  await decide(backup)
  const restored = await openedLog(backup, { witnesses: [witness] })
  await restored.sequence()
  expect(restored.log.fault()).toMatch(/has a log of 1 leaves, and 2 were signed/)
  expect((await checkpointOf(backup)).size).toBe(1)

  // With nobody to ask it forks; the witness that comes back ends that, too late for what was signed.
  const alone = await openedLog(backup, {
    witnesses: [{ ...witness, latest: async () => Promise.reject(new Error('away')) }],
  })
  expect(alone.log.fault()).toBeUndefined()
  const back = await openedLog(backup, { witnesses: [witness] })
  expect(back.log.fault()).toMatch(/another log of 2 leaves/)
})

test('what a witness says of another log, or unsigned, stops nothing', async () => {
  const { witness, watch } = honest()
  const foreign = noteSigner('log', 'verifier.example/v1/log', new Uint8Array(32).fill(4))
  const text = checkpointText({ origin: foreign.key.name, size: 90, root: new Uint8Array(32) })
  const lying = { ...witness, latest: async () => noteOf(text, [signatureLine(text, foreign, AT)]) }
  const { log, grow, store } = await scene([lying])
  watch(await log.verifierKey())
  await grow()
  expect(log.fault()).toBeUndefined()
  expect((await checkpointOf(store)).size).toBe(1)
})

/** As a backup that is restored: the key, the head and the tiles, and nothing that came later. */
async function copyOf(store: Store): Promise<Store> {
  const copy = memoryStore()
  for (const key of await store.keysFor('log')) await copy.keepFirstKey(key)
  const head = await store.logHead()
  const [tile, entries] = [await store.logTile(0, 0), await store.logEntries(0, 256)]
  await decide(copy)
  await copy.sequenceLog(1, async ({ waiting }) => {
    const [only] = waiting
    const [entry] = entries
    if (!head || !tile || !only || !entry) throw new Error('a log of one leaf is copied')
    return {
      head,
      entries: [{ ...only, index: 0, entry, leafHash: tile }],
      denials: [],
      tiles: [{ level: 0, index: 0, hashes: tile }],
      taken: [only.id],
    }
  })
  return copy
}

test('a replica that is slower than another to show its head alarms nobody', async () => {
  const { witness, watch } = honest()
  const first = await scene([witness])
  watch(await first.log.verifierKey())
  await first.grow()
  const old = await first.store.logHead()
  let isSlow = false
  const slow = await openedLog(
    {
      ...first.store,
      async logHead() {
        const head = isSlow ? old : await first.store.logHead()
        isSlow = false
        return head
      },
    },
    { witnesses: [witness] },
  )
  await first.grow()
  await first.show()
  isSlow = true
  await slow.chore('log-witnesses').run()
  expect(slow.journal).toEqual([])
  await slow.chore('log-witnesses').run()
  expect(slow.journal).toEqual([])
  expect(slow.log.fault()).toBeUndefined()
  const { note, head } = await checkpointOf(first.store)
  expect(slow.log.cosigned(head).length).toBeGreaterThan(note.length)
})
