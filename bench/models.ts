/**
 * How fast is a sealed model opened, beside what one thread of this machine can decrypt at all? Chunks are handed to a sink that
 * drops them, as a runtime that copies them into its own memory would take them; and, apart, written into a folder.
 * `raw`: AES-256-GCM by node:crypto over chunks of 4 MiB that lie in memory, one thread, nothing read and nothing hashed. There
 * are so many of them that no cache holds them, since none holds a model.
 * Raw and open take turns, so that a machine that slows down does so for both.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ModelSink, openModel } from '../src/adapters/model-open.ts'
import { modelFolder } from '../src/adapters/model-output.ts'
import { sealModel } from '../src/adapters/model-seal.ts'
import { folderSource } from '../src/adapters/model-source.ts'
import { openModelWorkers } from '../src/adapters/model-workers.ts'
import { CHUNK_BYTES, modelKeyOf } from '../src/seal/model-chunk.ts'
import { median } from './harness.ts'

export interface ModelPlan {
  readonly mebibytes: number
  readonly rounds: number
}

export const usualModelPlan: ModelPlan = { mebibytes: 2048, rounds: 5 }
export const quickModelPlan: ModelPlan = { mebibytes: 256, rounds: 3 }

const MIB = 1024 * 1024
const SAMPLE_MS = 5
const RAW_CHUNKS = 32

export async function* modelRows({ mebibytes, rounds }: ModelPlan): AsyncGenerator<object> {
  for (const files of [1, 4]) yield await measured({ files, mebibytes, rounds })
}

async function measured({ files, mebibytes, rounds }: ModelPlan & { readonly files: number }) {
  const place = mkdtempSync(join(tmpdir(), 'vouchsafe-bench-models-'))
  const workers = openModelWorkers()
  const bytes = mebibytes * MIB
  try {
    const folder = plainModel(join(place, 'model'), { files, bytes })
    const key = randomBytes(32)
    const sealed = join(place, 'sealed')
    const sealing = openModelWorkers()
    const seal = await timed(async () => {
      await sealModel({
        folder,
        out: sealed,
        name: 'bench',
        version: 1,
        modelKey: modelKeyOf(key),
        randomBytes,
        workers: sealing,
        signature: { by: 'nobody' },
        told() {},
      })
    })
    await sealing.close()
    rmSync(folder, { recursive: true })
    const raw = rawDecryption(bytes)
    globalThis.gc?.()
    const before = process.memoryUsage.rss()
    const open = async (sinkOf: (file: { readonly path: string }) => Promise<ModelSink>) => {
      const model = await openModel({
        source: folderSource(sealed),
        keyOf: async () => new Uint8Array(key),
        expected: {},
        signedBy: undefined,
        workers,
        told() {},
      })
      await model.files(sinkOf)
    }
    const handOn = async () => await open(async () => dropping)
    await handOn()
    raw()
    const runs = { raw: [] as Timed[], open: [] as Timed[] }
    const memory = sampledMemory()
    for (let round = 0; round < rounds; round++) {
      runs.raw.push(await timed(async () => raw()))
      memory.start()
      runs.open.push(await timed(handOn))
      memory.stop()
    }
    const written = await timed(async () => {
      const out = await modelFolder(join(place, 'opened'))
      await open(out.sinkOf)
      await out.keep()
    })
    const rate = (each: readonly Timed[]) =>
      bytes / MIB / median(each.map(({ seconds }) => seconds))
    const cpu = (each: readonly Timed[]) => median(each.map(({ cpuSeconds }) => cpuSeconds))
    return {
      bench: 'models',
      files,
      mebibytes,
      threads: workers.count,
      rawMiBPerSecond: Math.round(rate(runs.raw)),
      openMiBPerSecond: Math.round(rate(runs.open)),
      ratio: rounded(rate(runs.open) / rate(runs.raw)),
      /** Of CPU time, which other programs on the machine do not take away: what the ratio would be on one core. */
      cpuRatio: rounded(cpu(runs.raw) / cpu(runs.open)),
      peakMemoryMiB: Math.round(memory.peak() / MIB),
      /** Of that, what opening added to the memory of the process. */
      addedMemoryMiB: Math.round((memory.peak() - before) / MIB),
      toFolderMiBPerSecond: Math.round(rate([written])),
      sealMiBPerSecond: Math.round(rate([seal])),
    }
  } finally {
    await workers.close()
    rmSync(place, { recursive: true, force: true })
  }
}

const dropping: ModelSink = { write: async () => {}, end: async () => {}, abandon: async () => {} }

function plainModel(
  folder: string,
  { files, bytes }: { readonly files: number; readonly bytes: number },
): string {
  mkdirSync(folder)
  const block = randomBytes(CHUNK_BYTES)
  for (let file = 0; file < files; file++)
    for (let done = 0; done < bytes / files; done += block.length)
      appendFileSync(join(folder, `w${file}.safetensors`), block)
  return folder
}

function rawDecryption(bytes: number): () => void {
  const key = randomBytes(32)
  const nonce = Buffer.alloc(12)
  const chunks = Array.from({ length: RAW_CHUNKS }, () => {
    const cipher = createCipheriv('aes-256-gcm', key, nonce)
    const sealed = cipher.update(randomBytes(CHUNK_BYTES))
    cipher.final()
    return { sealed, tag: cipher.getAuthTag() }
  })
  return () => {
    for (let done = 0; done < bytes; )
      for (const { sealed, tag } of chunks) {
        const decipher = createDecipheriv('aes-256-gcm', key, nonce)
        decipher.setAuthTag(tag)
        decipher.update(sealed)
        decipher.final()
        done += CHUNK_BYTES
      }
  }
}

interface Timed {
  readonly seconds: number
  /** Of all threads. */
  readonly cpuSeconds: number
}

async function timed(work: () => Promise<void>): Promise<Timed> {
  const before = process.cpuUsage()
  const started = performance.now()
  await work()
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(before)
  return { seconds, cpuSeconds: (user + system) / 1e6 }
}

/** Resident memory of the whole process, while it opens. */
function sampledMemory() {
  let most = 0
  let timer: NodeJS.Timeout | undefined
  const look = () => {
    most = Math.max(most, process.memoryUsage.rss())
  }
  return {
    start() {
      look()
      timer = setInterval(look, SAMPLE_MS)
    },
    stop() {
      look()
      clearInterval(timer)
    },
    peak: () => most,
  }
}

function rounded(ratio: number): number {
  return Number(ratio.toFixed(2))
}
