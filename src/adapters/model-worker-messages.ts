/**
 * What the threads that encrypt, decrypt and hash models are asked, and what they answer. Chunks lie in memory that all threads
 * see, and are named: handed over, each would count as new memory wherever it arrives, and make V8 collect all the time.
 */
import type { ChunkPlace, FileSeal } from '../seal/model-chunk.ts'

/** The first `length` bytes of a memory that the thread was shown. Nobody else touches them until it has answered. */
export interface Region {
  readonly slot: number
  readonly length: number
}

export type Task =
  /** In place: plaintext, and room for the tag behind it. */
  | {
      readonly kind: 'seal'
      readonly seal: FileSeal
      readonly place: ChunkPlace
      readonly region: Region
    }
  /** In place: the plaintext is at the front. */
  | {
      readonly kind: 'open'
      readonly seal: FileSeal
      readonly place: ChunkPlace
      readonly region: Region
    }
  /** Adds to the hash of a stream, which begins with its first region. */
  | { readonly kind: 'hash'; readonly stream: number; readonly region: Region }
  /** Ends a stream. */
  | { readonly kind: 'digest'; readonly stream: number }

export type Answer =
  | { readonly kind: 'done' }
  | { readonly kind: 'digest'; readonly hex: string }
  /** The chunk was not sealed for this place. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly message: string }

export type Message =
  | { readonly kind: 'asked'; readonly id: number; readonly task: Task }
  | { readonly kind: 'shown'; readonly slot: number; readonly memory: SharedArrayBuffer }

export interface Answered {
  readonly id: number
  readonly answer: Answer
}
