/** What the verbs of `vouchsafe log` need of the machine. */
import type { Output } from './answering.ts'
import type { Files } from './files.ts'

export interface LogDeps extends Output {
  readonly colour: boolean
  /** Whether `err` leads to a terminal. */
  readonly terminal: boolean
  readonly files: Files
  readonly fetch: typeof globalThis.fetch
  readonly now: () => Date
  /** From a CSPRNG. */
  readonly randomBytes: (size: number) => Uint8Array
  /** Whole or not at all, with the folders above it, and on the disk when it resolves. Only its owner may read it. */
  readonly keepFile: (path: string, bytes: Uint8Array) => Promise<void>
  readonly wait: (ms: number) => Promise<void>
  /** Resolves when the program is asked to end. */
  readonly stopped: () => Promise<string>
}
