/** Small WebAssembly modules that OPA would never make (WebAssembly core specification 2.0, section 5.5). */

interface WasmOptions {
  readonly memory?: boolean
  /** Module and name of one function. */
  readonly imports?: readonly [string, string]
}

/** One function without parameters that does nothing, and what the options add. */
export function wasmModule({ memory = false, imports }: WasmOptions): Uint8Array {
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 0, 0]),
    ...(imports ? section(2, [1, ...imports.flatMap(named), 0, 0]) : []),
    ...section(3, [1, 0]),
    ...(memory ? section(5, [1, 0, 1]) : []),
    ...section(10, [1, 2, 0, 0x0b]),
  ])
}

function section(id: number, content: readonly number[]): readonly number[] {
  return [id, content.length, ...content]
}

function named(text: string): readonly number[] {
  const bytes = [...new TextEncoder().encode(text)]
  return [bytes.length, ...bytes]
}
