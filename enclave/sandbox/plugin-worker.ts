/**
 * Entry of the thread in which a plugin runs. Each call gets an instance of its own, so nothing of one call is there in the
 * next. Whoever started the thread ends it at the deadline; nothing here can be trusted to.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { AskedCall, FromPlugin, PluginWork } from './plugin-messages.ts'
import { type Wasi, wasi } from './wasi.ts'
import { engine, type WasmInstance, type WasmMemory } from './web-assembly.ts'

// Only the host is at the other end.
const work = workerData as PluginWork
const LONGEST_REASON = 256

parentPort?.on('message', ({ input }: AskedCall) => post(answerTo(input)))
post({ kind: 'ready' })

function answerTo(input: Uint8Array): FromPlugin {
  const holder: { memory?: WasmMemory } = {}
  const host = wasi(work.grants, { ...work, input }, () => {
    if (!holder.memory) throw new RangeError('there is no memory yet')
    return holder.memory
  })
  try {
    const instance = new engine.Instance(work.module, host.imports)
    const memory = memoryOf(instance)
    holder.memory = memory
    if (work.abi === 'command') {
      run(instance, '_start')
      return commandAnswer(host)
    }
    if (typeof instance.exports._initialize === 'function') run(instance, '_initialize')
    return functionAnswer(instance, { memory, input, host })
  } catch (error) {
    return endedBy(error, host)
  }
}

function commandAnswer(host: Wasi): FromPlugin {
  // It may have caught what ended it and returned.
  if (host.ending()) return endedBy(undefined, host)
  return returned(host.output(), host)
}

/**
 * `vouchsafe_call(address, size)` answers with address and size of its JSON in one i64: address in the upper half. Addresses
 * are the guest’s: what is not inside of its memory is refused.
 */
function functionAnswer(
  instance: WasmInstance,
  { memory, input, host }: { memory: WasmMemory; input: Uint8Array; host: Wasi },
): FromPlugin {
  const at = Number(run(instance, 'vouchsafe_alloc', input.length)) >>> 0
  if (at + input.length > memory.buffer.byteLength)
    return refused('vouchsafe_alloc answered with a place outside of the memory', host)
  new Uint8Array(memory.buffer, at, input.length).set(input)
  const answer = BigInt.asUintN(64, run(instance, 'vouchsafe_call', at, input.length) as bigint)
  if (host.ending()) return endedBy(undefined, host)
  const from = Number(answer >> 32n)
  const size = Number(answer & 0xffff_ffffn)
  if (size > work.outputBytes)
    return refused(`${size} bytes of answer; at most ${work.outputBytes} are let`, host)
  if (from + size > memory.buffer.byteLength)
    return refused('the answer lies outside of the memory', host)
  return returned(new Uint8Array(memory.buffer, from, size).slice(), host)
}

function endedBy(error: unknown, host: Wasi): FromPlugin {
  const ending = host.ending()
  if (ending?.kind === 'too-much-output')
    return refused(`more than ${work.outputBytes} bytes of output`, host)
  if (ending?.code === 0) return returned(host.output(), host)
  const reason = ending ? `it exited with ${ending.code | 0}` : messageOf(error)
  return { kind: 'trapped', reason, errors: host.errors() }
}

function returned(output: Uint8Array, host: Wasi): FromPlugin {
  return { kind: 'returned', output: new Uint8Array(output), errors: host.errors() }
}

function refused(reason: string, host: Wasi): FromPlugin {
  return { kind: 'refused', reason, errors: host.errors() }
}

function run(instance: WasmInstance, name: string, ...values: readonly number[]): unknown {
  const exported = instance.exports[name]
  if (typeof exported !== 'function') throw new TypeError(`${name} is no function`)
  return exported(...values)
}

function memoryOf({ exports }: WasmInstance): WasmMemory {
  if (exports.memory instanceof engine.Memory) return exports.memory
  throw new TypeError('memory is no memory')
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : 'something that is no error').slice(
    0,
    LONGEST_REASON,
  )
}

function post(message: FromPlugin): void {
  parentPort?.postMessage(message)
}
