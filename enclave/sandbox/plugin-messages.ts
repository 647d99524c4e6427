/** What do a plugin’s host and its thread say to each other? */
import type { Grants } from './capabilities.ts'
import type { PluginAbi } from './plugin-terms.ts'
import type { WasmModule } from './web-assembly.ts'

/** `workerData`. */
export interface PluginWork {
  readonly module: WasmModule
  readonly abi: PluginAbi
  readonly grants: Grants
  readonly outputBytes: number
  readonly errorBytes: number
}

/** One at a time. */
export interface AskedCall {
  readonly input: Uint8Array<ArrayBuffer>
}

export type FromPlugin =
  | { readonly kind: 'ready' }
  | { readonly kind: 'returned'; readonly output: Uint8Array<ArrayBuffer>; readonly errors: string }
  /** More output than is let, or an answer that lies outside of the memory. */
  | { readonly kind: 'refused'; readonly reason: string; readonly errors: string }
  | { readonly kind: 'trapped'; readonly reason: string; readonly errors: string }
