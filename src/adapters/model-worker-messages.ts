/** What the threads that encrypt, decrypt and hash models are asked, and what they answer. Chunks are handed over, never copied. */
import type { ChunkPlace, FileSeal } from '../seal/model-chunk.ts'

export type Task =
  | {
      readonly kind: 'seal'
      readonly seal: FileSeal
      readonly place: ChunkPlace
      readonly bytes: Bytes
    }
  | {
      readonly kind: 'open'
      readonly seal: FileSeal
      readonly place: ChunkPlace
      readonly bytes: Bytes
    }
  /** Adds to the hash of a stream, which begins with its first chunk, and then `tail`; `bytes` comes back as it was. */
  | {
      readonly kind: 'hash'
      readonly stream: number
      readonly bytes: Bytes
      readonly tail: Uint8Array | undefined
    }
  /** Ends a stream. */
  | { readonly kind: 'digest'; readonly stream: number }

export type Answer =
  /** `spent` is what was read, to be used again. */
  | {
      readonly kind: 'sealed'
      readonly bytes: Bytes
      readonly tag: Uint8Array
      readonly spent: Bytes
    }
  | { readonly kind: 'opened'; readonly bytes: Bytes; readonly spent: Bytes }
  | { readonly kind: 'hashed'; readonly bytes: Bytes }
  | { readonly kind: 'digest'; readonly hex: string }
  /** The chunk was not sealed for this place. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly message: string }

/** A view that is the only one on its memory, so that it can be handed over. */
export type Bytes = Uint8Array<ArrayBuffer>

export interface Asked {
  readonly id: number
  readonly task: Task
}

export interface Answered {
  readonly id: number
  readonly answer: Answer
}
