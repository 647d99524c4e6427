/** A thread that encrypts, decrypts and hashes chunks of models: node:crypto works on the thread that calls it. */
import { createHash, type Hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { openChunk, sealChunk } from '../seal/model-chunk.ts'
import type { Answer, Answered, Message, Region, Task } from './model-worker-messages.ts'

const memories = new Map<number, SharedArrayBuffer>()
const streams = new Map<number, Hash>()

parentPort?.on('message', (message: Message) => {
  if (message.kind === 'shown') memories.set(message.slot, message.memory)
  else {
    const answered: Answered = { id: message.id, answer: answer(message.task) }
    parentPort?.postMessage(answered)
  }
})

function answer(task: Task): Answer {
  try {
    switch (task.kind) {
      case 'seal':
        sealChunk(task.seal, task.place, bytesOf(task.region))
        return { kind: 'done' }
      case 'open':
        return openChunk(task.seal, task.place, bytesOf(task.region))
          ? { kind: 'done' }
          : { kind: 'refused' }
      case 'hash':
        hashOf(task.stream).update(bytesOf(task.region))
        return { kind: 'done' }
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

function bytesOf({ slot, length }: Region): Uint8Array {
  const memory = memories.get(slot)
  if (!memory) throw new RangeError(`nobody showed this thread a memory ${slot}`)
  return new Uint8Array(memory, 0, length)
}

function hashOf(stream: number): Hash {
  const begun = streams.get(stream)
  if (begun) return begun
  const hash = createHash('sha256')
  streams.set(stream, hash)
  return hash
}
