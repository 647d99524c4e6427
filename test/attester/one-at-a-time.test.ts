/** Is there never more than one at work, do few wait, and does nobody wait for ever? */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { oneAtATime } from '../../enclave/attester/one-at-a-time.ts'

const turns = { mostWaiting: 2, deadlineMs: 10_000, refusal: (text: string) => new Error(text) }

/** Work that ends when the test says so. */
function workshop() {
  const begun: { readonly request: string; readonly end: () => void; readonly fail: () => void }[] =
    []
  return {
    begun,
    work: (request: string) =>
      new Promise<string>((resolve, reject) => {
        begun.push({
          request,
          end: () => resolve(`${request} done`),
          fail: () => reject(new Error(`${request} failed`)),
        })
      }),
  }
}

describe('oneAtATime', () => {
  it('begins the next when the one before has ended, in the order of asking', async () => {
    const { begun, work } = workshop()
    const ask = oneAtATime(work, turns)
    const answers = [ask('first'), ask('second'), ask('third')]
    await sleep(1)
    expect(begun.map(({ request }) => request)).toEqual(['first'])
    begun[0]?.end()
    expect(await answers[0]).toBe('first done')
    await sleep(1)
    expect(begun.map(({ request }) => request)).toEqual(['first', 'second'])
    begun[1]?.end()
    await sleep(1)
    begun[2]?.end()
    expect(await Promise.all(answers)).toEqual(['first done', 'second done', 'third done'])
  })

  it('sends away at once whoever would wait behind too many', async () => {
    const { begun, work } = workshop()
    const ask = oneAtATime(work, turns)
    const answers = [ask('a'), ask('b'), ask('c')]
    await expect(ask('d')).rejects.toThrow('3 requests for a report are before this one')
    for (const at of [0, 1, 2]) {
      await sleep(1)
      begun[at]?.end()
    }
    await Promise.all(answers)
    const later = ask('e')
    await sleep(1)
    begun[3]?.end()
    expect(await later).toBe('e done')
  })

  it('goes on after one that failed, and tells only who asked for it', async () => {
    const { begun, work } = workshop()
    const ask = oneAtATime(work, turns)
    const [first, second] = [ask('first'), ask('second')]
    await sleep(1)
    begun[0]?.fail()
    await expect(first).rejects.toThrow('first failed')
    await sleep(1)
    begun[1]?.end()
    expect(await second).toBe('second done')
  })

  it('answers nobody later than the deadline, and begins no other beside one that hangs', async () => {
    const { begun, work } = workshop()
    const ask = oneAtATime(work, { ...turns, deadlineMs: 30 })
    const refused = await Promise.allSettled([ask('hangs'), ask('waits')])
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(begun).toHaveLength(1)
    await expect(ask('later')).rejects.toThrow('no report came within 0.03 s')
    await expect(ask('too many')).rejects.toThrow('are before this one')
    // What hung comes back: those who went away in the meantime are passed over.
    begun[0]?.end()
    await sleep(1)
    const after = ask('after')
    await sleep(1)
    expect(begun.map(({ request }) => request)).toEqual(['hangs', 'after'])
    begun[1]?.end()
    expect(await after).toBe('after done')
  })
})
