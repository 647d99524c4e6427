/**
 * Who encrypts, decrypts and hashes a model while the calling thread stays free? As many threads as there are cores. A chunk goes
 * to the one that has the least to do; a hash stays where it began, because it is a chain.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { CHUNK_BYTES, type ChunkPlace, type FileSeal, TAG_BYTES } from '../seal/model-chunk.ts'
import type { Sha256 } from '../seal/oms-root.ts'
import type { Answer, Answered, Message, Task } from './model-worker-messages.ts'

/** More than the memory of a machine can feed. */
const MOST_WORKERS = 8
/** SHA-256 takes about twice as long as AES-256-GCM, where the processor has instructions for both. */
const HASH_COST = 2
const SLOT_BYTES = CHUNK_BYTES + TAG_BYTES
/** More than is under way of one file at a time. */
const STREAM_COST = 8 * CHUNK_BYTES

export interface ModelWorkers {
  readonly count: number
  /** Memory for the chunks of one file. */
  readonly memory: () => ChunkMemory
  /** Plaintext with room for the tag behind it into a sealed chunk, in place. Resolves to the same chunk. */
  readonly seal: (seal: FileSeal, place: ChunkPlace, chunk: Chunk) => Promise<Chunk>
  /** A sealed chunk into its plaintext, in place. Undefined: it was not sealed for this place. */
  readonly open: (seal: FileSeal, place: ChunkPlace, chunk: Chunk) => Promise<Chunk | undefined>
  readonly hash: () => StreamHash
  readonly close: () => Promise<void>
}

export interface ChunkMemory {
  /** `size`: one sealed chunk at the most. Holds what was there before. */
  readonly take: (size: number) => Chunk
  /** To be used again. */
  readonly giveBack: (chunk: Chunk) => void
  /** Once nothing is under way. */
  readonly giveAllBack: () => void
}

/** Bytes that all threads see. They are somebody else's while a promise over them has not resolved. */
export interface Chunk {
  readonly slot: number
  readonly bytes: Uint8Array
}

/** The first bytes of it. */
export function frontOf({ slot, bytes }: Chunk, size: number): Chunk {
  return { slot, bytes: bytes.subarray(0, size) }
}

export interface StreamHash {
  /** In the order of the calls. Resolves to the same chunk. */
  readonly update: (chunk: Chunk) => Promise<Chunk>
  /** Once, after the last update. */
  readonly digest: () => Promise<Sha256>
}

interface Thread {
  readonly worker: Worker
  readonly waiting: Map<number, Waiting>
  load: number
  /** Why it answers no more. */
  over: unknown
}

interface Waiting {
  readonly resolve: (answer: Answer) => void
  readonly reject: (cause: unknown) => void
  readonly cost: number
}

export function openModelWorkers(): ModelWorkers {
  const count = Math.min(MOST_WORKERS, Math.max(2, availableParallelism()))
  const memories: SharedArrayBuffer[] = []
  const free: number[] = []
  // Not before there is something to do: whatever is refused beforehand is refused at once.
  let begun: readonly Thread[] | undefined
  const threads = () => {
    begun ??= Array.from({ length: count }, startThread)
    return begun
  }
  let lastId = 0
  let lastStream = 0

  /** As many as were ever in use at once. */
  function newSlot(): number {
    const memory = new SharedArrayBuffer(SLOT_BYTES)
    const slot = memories.push(memory) - 1
    const shown: Message = { kind: 'shown', slot, memory }
    for (const { worker } of threads()) worker.postMessage(shown)
    return slot
  }

  function ask(thread: Thread, task: Task, cost: number): Promise<Answer> {
    lastId += 1
    const id = lastId
    return new Promise((resolve, reject) => {
      if (thread.over !== undefined) throw thread.over
      thread.waiting.set(id, { resolve, reject, cost })
      thread.load += cost
      const asked: Message = { kind: 'asked', id, task }
      thread.worker.postMessage(asked)
    })
  }

  return {
    count,
    memory() {
      const taken = new Set<number>()
      return {
        take(size) {
          const slot = free.pop() ?? newSlot()
          taken.add(slot)
          return { slot, bytes: new Uint8Array(memories[slot] ?? missing(slot), 0, size) }
        },
        giveBack({ slot }) {
          if (taken.delete(slot)) free.push(slot)
        },
        giveAllBack() {
          free.push(...taken)
          taken.clear()
        },
      }
    },
    async seal(seal, place, chunk) {
      const task = { kind: 'seal', seal, place, region: regionOf(chunk) } as const
      const answer = await ask(idlest(threads()), task, chunk.bytes.length)
      if (answer.kind === 'done') return chunk
      throw unexpected(answer)
    },
    async open(seal, place, chunk) {
      const { length } = chunk.bytes
      const task = { kind: 'open', seal, place, region: regionOf(chunk) } as const
      const answer = await ask(idlest(threads()), task, length)
      if (answer.kind === 'done') return frontOf(chunk, length - TAG_BYTES)
      if (answer.kind === 'refused') return undefined
      throw unexpected(answer)
    },
    hash() {
      lastStream += 1
      const stream = lastStream
      const thread = idlest(threads())
      // The next stream begins elsewhere, and so do chunks while there is room: a hash that waits holds up its file.
      thread.load += STREAM_COST
      return {
        async update(chunk) {
          const task = { kind: 'hash', stream, region: regionOf(chunk) } as const
          const answer = await ask(thread, task, chunk.bytes.length * HASH_COST)
          if (answer.kind === 'done') return chunk
          throw unexpected(answer)
        },
        async digest() {
          const answer = await ask(thread, { kind: 'digest', stream }, 0)
          thread.load -= STREAM_COST
          if (answer.kind === 'digest') return `sha256:${answer.hex}`
          throw unexpected(answer)
        },
      }
    },
    async close() {
      await Promise.all((begun ?? []).map(({ worker }) => worker.terminate()))
    },
  }
}

function regionOf({ slot, bytes: { length } }: Chunk) {
  return { slot, length }
}

function missing(slot: number): never {
  throw new RangeError(`there is no memory ${slot}`)
}

function startThread(): Thread {
  const worker = new Worker(new URL('./model-worker.ts', import.meta.url))
  const thread: Thread = { worker, waiting: new Map(), load: 0, over: undefined }
  worker.on('message', ({ id, answer }: Answered) => {
    const waiting = thread.waiting.get(id)
    if (!waiting) return
    thread.waiting.delete(id)
    thread.load -= waiting.cost
    waiting.resolve(answer)
  })
  const over = (cause: unknown) => {
    thread.over ??= cause
    for (const { reject } of thread.waiting.values()) reject(cause)
    thread.waiting.clear()
  }
  worker.on('error', over)
  worker.on('exit', () => over(new Error('the thread that works on the model has ended')))
  return thread
}

function idlest(threads: readonly Thread[]): Thread {
  return threads.reduce((least, thread) => (thread.load < least.load ? thread : least))
}

function unexpected(answer: Answer): Error {
  return new Error(answer.kind === 'failed' ? answer.message : `an answer of kind ${answer.kind}`)
}
