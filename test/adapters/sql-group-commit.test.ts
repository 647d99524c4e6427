/** What is written together: everything that came while the database was busy, and who comes alone waits for nobody. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { groupCommit } from '#src/adapters/sql-group-commit.ts'

interface Scene {
  readonly commit: (item: string) => Promise<string>
  readonly batches: (readonly string[])[]
  /** Ends the oldest write that runs. */
  readonly end: (fault?: Error) => void
}

function scene({ gatherMs = 0, inFlight = 1, mostWaiting = 100 } = {}): Scene {
  const batches: (readonly string[])[] = []
  const running: ((fault?: Error) => void)[] = []
  const commit = groupCommit<string, string>({
    most: 3,
    inFlight,
    mostWaiting,
    gatherMs,
    write: (items) =>
      new Promise((resolve, reject) => {
        batches.push(items)
        running.push((fault) => (fault ? reject(fault) : resolve(items.map((item) => `${item}!`))))
      }),
  })
  return { commit, batches, end: (fault) => running.shift()?.(fault) }
}

async function turn(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('without gathering', () => {
  test('what arrives in one turn is one batch, and the rest follows', async () => {
    const { commit, batches, end } = scene()
    const all = ['a', 'b', 'c', 'd'].map(commit)
    await turn()
    expect(batches).toEqual([['a', 'b', 'c']])
    end()
    await turn()
    expect(batches).toEqual([['a', 'b', 'c'], ['d']])
    end()
    expect(await Promise.all(all)).toEqual(['a!', 'b!', 'c!', 'd!'])
  })

  test('as many batches run at once as are worth it', async () => {
    const { commit, batches } = scene({ inFlight: 2 })
    void commit('a')
    await turn()
    void commit('b')
    await turn()
    void commit('c')
    await turn()
    expect(batches).toEqual([['a'], ['b']])
  })

  test('one that is wrong in itself fails alone', async () => {
    const { commit, batches, end } = scene()
    const all = ['a', 'b'].map((item) => commit(item).catch((error: Error) => error.message))
    await turn()
    end(new RangeError('b does not fit'))
    await turn()
    end()
    await turn()
    end(new RangeError('b does not fit'))
    expect(await Promise.all(all)).toEqual(['a!', 'b does not fit'])
    expect(batches).toEqual([['a', 'b'], ['a'], ['b']])
  })

  test('more than may wait are refused', async () => {
    const { commit } = scene({ mostWaiting: 2 })
    const all = ['a', 'b', 'c'].map(commit)
    await expect(all[2]).rejects.toMatchObject({ code: 'storage-unavailable' })
  })
})

describe('with gathering', () => {
  const gatherMs = 5

  test('who comes alone is written at once', async () => {
    const { commit, batches, end } = scene({ gatherMs })
    void commit('a')
    await turn()
    end()
    await vi.advanceTimersByTimeAsync(gatherMs)
    void commit('b')
    await turn()
    expect(batches).toEqual([['a'], ['b']])
  })

  test('who comes soon after another waits for the next ones, and no longer', async () => {
    const { commit, batches, end } = scene({ gatherMs })
    void commit('a')
    await turn()
    end()
    await vi.advanceTimersByTimeAsync(1)
    void commit('b')
    await vi.advanceTimersByTimeAsync(gatherMs - 1)
    void commit('c')
    expect(batches).toEqual([['a']])
    await vi.advanceTimersByTimeAsync(1)
    expect(batches).toEqual([['a'], ['b', 'c']])
  })

  test('what waited for a write that ran goes on by itself', async () => {
    const { commit, batches, end } = scene({ gatherMs })
    void commit('a')
    await turn()
    void commit('b')
    await vi.advanceTimersByTimeAsync(100)
    expect(batches).toEqual([['a']])
    end()
    await vi.advanceTimersByTimeAsync(gatherMs)
    expect(batches).toEqual([['a'], ['b']])
  })
})
