/** A thread that encrypts, decrypts and hashes chunks of models: node:crypto works on the thread that calls it. */
import { createHash, type Hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { openChunk, sealChunk } from '../seal/model-chunk.ts'
import type { Answer, Answered, Asked, Bytes, Task } from './model-worker-messages.ts'

const streams = new Map<number, Hash>()

parentPort?.on('message', ({ id, task }: Asked) => {
  const answered: Answered = { id, answer: answer(task) }
  parentPort?.postMessage(answered, memoryOf(answered.answer))
})

function answer(task: Task): Answer {
  try {
    switch (task.kind) {
      case 'seal': {
        const { ciphertext, tag } = sealChunk(task.seal, task.place, task.bytes)
        return { kind: 'sealed', bytes: alone(ciphertext), tag, spent: task.bytes }
      }
      case 'open': {
        const bytes = openChunk(task.seal, task.place, task.bytes)
        return bytes
          ? { kind: 'opened', bytes: alone(bytes), spent: task.bytes }
          : { kind: 'refused' }
      }
      case 'hash': {
        const hash = hashOf(task.stream).update(task.bytes)
        if (task.tail) hash.update(task.tail)
        return { kind: 'hashed', bytes: task.bytes }
      }
      case 'digest': {
        const hash = hashOf(task.stream)
        streams.delete(task.stream)
        return { kind: 'digest', hex: hash.digest('hex') }
      }
    }
  } catch (error) {
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) }
  }
}

function hashOf(stream: number): Hash {
  const begun = streams.get(stream)
  if (begun) return begun
  const hash = createHash('sha256')
  streams.set(stream, hash)
  return hash
}

/** What node:crypto returns for a few bytes is a view into memory that others use too. */
function alone(bytes: Uint8Array): Bytes {
  const { buffer } = bytes
  return buffer instanceof ArrayBuffer && bytes.length === buffer.byteLength
    ? new Uint8Array(buffer)
    : new Uint8Array(bytes)
}

function memoryOf(given: Answer): ArrayBuffer[] {
  const memory = 'bytes' in given ? [given.bytes.buffer] : []
  return 'spent' in given ? [...memory, given.spent.buffer] : memory
}
