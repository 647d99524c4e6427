/**
 * Who encrypts, decrypts and hashes a model while the calling thread stays free? As many threads as there are cores. A chunk goes
 * to the one that has the least to do; a hash stays where it began, because it is a chain.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { CHUNK_BYTES, type ChunkPlace, type FileSeal } from '../seal/model-chunk.ts'
import type { Sha256 } from '../seal/oms-root.ts'
import type { Answer, Answered, Asked, Bytes, Task } from './model-worker-messages.ts'

/** More than the memory of a machine can feed. */
const MOST_WORKERS = 8
/** SHA-256 takes about twice as long as AES-256-GCM, where the processor has instructions for both. */
const HASH_COST = 2
/** More than is under way of one file at a time. */
const STREAM_COST = 8 * CHUNK_BYTES

export interface ModelWorkers {
  readonly count: number
  /** Both take `bytes` away from the caller. */
  readonly seal: (seal: FileSeal, place: ChunkPlace, bytes: Bytes) => Promise<SealedChunk>
  /** Undefined: it was not sealed for this place. */
  readonly open: (seal: FileSeal, place: ChunkPlace, bytes: Bytes) => Promise<Turned | undefined>
  readonly hash: () => StreamHash
  readonly close: () => Promise<void>
}

export interface Turned {
  readonly bytes: Bytes
  /** What was read, to be read into again. */
  readonly spent: Bytes
}

export interface SealedChunk extends Turned {
  readonly tag: Uint8Array
}

export interface StreamHash {
  /** In the order of the calls, and then `tail`; resolves to the same bytes, which it takes away meanwhile. */
  readonly update: (bytes: Bytes, tail?: Uint8Array) => Promise<Bytes>
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
  // Not before there is something to do: whatever is refused beforehand is refused at once.
  let begun: readonly Thread[] | undefined
  const idlestThread = () => {
    begun ??= Array.from({ length: count }, startThread)
    return idlest(begun)
  }
  let lastId = 0
  let lastStream = 0

  function ask(thread: Thread, task: Task, cost: number): Promise<Answer> {
    lastId += 1
    const id = lastId
    return new Promise((resolve, reject) => {
      if (thread.over !== undefined) throw thread.over
      thread.waiting.set(id, { resolve, reject, cost })
      thread.load += cost
      const asked: Asked = { id, task }
      thread.worker.postMessage(asked, 'bytes' in task ? [task.bytes.buffer] : [])
    })
  }

  return {
    count,
    async seal(seal, place, bytes) {
      const task = { kind: 'seal', seal, place, bytes } as const
      const answer = await ask(idlestThread(), task, bytes.length)
      if (answer.kind === 'sealed') return answer
      throw unexpected(answer)
    },
    async open(seal, place, bytes) {
      const task = { kind: 'open', seal, place, bytes } as const
      const answer = await ask(idlestThread(), task, bytes.length)
      if (answer.kind === 'opened') return answer
      if (answer.kind === 'refused') return undefined
      throw unexpected(answer)
    },
    hash() {
      lastStream += 1
      const stream = lastStream
      const thread = idlestThread()
      // The next stream begins elsewhere, and so do chunks while there is room: a hash that waits holds up its file.
      thread.load += STREAM_COST
      return {
        async update(bytes, tail) {
          const cost = bytes.length * HASH_COST
          const answer = await ask(thread, { kind: 'hash', stream, bytes, tail }, cost)
          if (answer.kind === 'hashed') return answer.bytes
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
