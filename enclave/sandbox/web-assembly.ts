/**
 * What of the engine’s WebAssembly is used here? Neither lib.esnext nor Node’s types declare it, and lib.dom would declare a
 * browser with it.
 */

/** Opaque: nothing is read from it but by the functions below. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: 'WebAssembly.Module'
}

export interface WasmInstance {
  /** A frozen object without prototype; what it holds is the module’s choice. */
  readonly exports: Readonly<Record<string, unknown>>
}

export interface WasmMemory {
  /** Another one after the memory has grown. */
  readonly buffer: ArrayBuffer
}

export type WasmImports = Readonly<
  Record<string, Readonly<Record<string, (...values: never[]) => unknown>>>
>

interface WasmEngine {
  /** Copies the bytes before it returns. Rejects for what is no valid module. */
  readonly compile: (bytes: Uint8Array) => Promise<WasmModule>
  readonly validate: (bytes: Uint8Array) => boolean
  readonly Module: {
    readonly imports: (module: WasmModule) => readonly WasmPort[]
    readonly exports: (module: WasmModule) => readonly Omit<WasmPort, 'module'>[]
  }
  readonly Instance: new (module: WasmModule, imports: WasmImports) => WasmInstance
  readonly Memory: new (size: { readonly initial: number }) => WasmMemory
  readonly RuntimeError: new () => Error
}

interface WasmPort {
  readonly module: string
  readonly name: string
  readonly kind: string
}

// The engine’s own object, described above as far as it is used: https://webassembly.github.io/spec/js-api/
export const engine = (globalThis as unknown as { readonly WebAssembly: WasmEngine }).WebAssembly
