/**
 * Is the code in a process’s memory what its file says? Text of position-independent programs is never relocated, so each byte of
 * an executable mapping equals the file’s. Compared are all blocks with a page that the process made its own (a page that it
 * wrote is no page of the file any more, and pagemap says so), and besides a sample that the verifier’s nonce chooses.
 *
 * The kernel's own text (vDSO) has no file: there a page that the process made its own is enough.
 *
 * Not covered: memory without a file (V8’s JIT, reported by its size), data that decides what code does (the JavaScript heap),
 * and text of programs that relocate it, which are reported as changed. Uprobes and debuggers write into text: so they show.
 */
import { createHmac } from 'node:crypto'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { codeOf } from './file-digest.ts'
import { PAGE, PageMap } from './pagemap.ts'
import { type ExecutableMapping, executableMappings, VDSO } from './proc-maps.ts'
import type { ProcessView } from './process-view.ts'
import type { Sightings } from './sightings.ts'

export interface TextChallenge {
  readonly nonce: string
  /** Of 256 blocks, about so many; 256 is all. */
  readonly share: number
}

const BLOCK = 64 * 1024

export interface ProcessText extends ProcessView {
  readonly challenge: TextChallenge
}

export class TextComparison {
  readonly #memory = Buffer.allocUnsafe(BLOCK)
  readonly #file = Buffer.allocUnsafe(BLOCK)

  see(sightings: Sightings, text: ProcessText): void {
    const { process, mappings, budget } = text
    const choose = chosenBlocks(text.challenge)
    let memory: number | undefined
    let pages: PageMap | undefined
    try {
      memory = openSync(`/proc/${process.pid}/mem`, 'r')
      pages = new PageMap(process.pid)
      for (const mapping of mappings)
        if (mapping.file !== '')
          this.#compare(sightings, { ...text, mapping, memory, pages, choose })
        else if (mapping.path === VDSO) seeKernelText(sightings, { ...text, mapping, pages })
    } catch (cause) {
      if (executableMappings(process.pid) !== undefined)
        budget.fault(`memory of process ${process.pid}: ${codeOf(cause)}`)
    } finally {
      if (memory !== undefined) closeSync(memory)
      pages?.close()
    }
  }

  /** To the first difference. */
  #compare(sightings: Sightings, one: OneMapping): void {
    const { process, mapping, budget } = one
    const place = `text of ${mapping.path} in process ${process.pid}`
    let file: number | undefined
    try {
      file = openSync(
        `/proc/${process.pid}/map_files/${mapping.name}`,
        constants.O_RDONLY | constants.O_NONBLOCK,
      )
      for (let at = mapping.start; at < mapping.end; at += BigInt(BLOCK)) {
        if (budget.isOver()) {
          budget.late(`${place}: no time was left to compare all of it`)
          return
        }
        const bytes = Number(mapping.end - at < BigInt(BLOCK) ? mapping.end - at : BigInt(BLOCK))
        // Asked in any case: how many blocks were chosen must not tell the process which ones it changed.
        const isChosen = one.choose()
        const state = one.pages.stateOf(at, bytes)
        // Reading what was never touched would bring it into the process's memory, for nothing.
        if (state === 'untouched' || (state === 'of-file' && !isChosen)) continue
        const offset = mapping.offset + Number(at - mapping.start)
        const difference = this.#firstDifference({ ...one, file, at, offset, bytes })
        if (difference === undefined) continue
        const { pid, comm } = process
        const path = mapping.path.slice(0, 1024)
        sightings.behaviour({ kind: 'text-mismatch', pid, comm, path, offset: difference })
        return
      }
    } catch (cause) {
      // What is not mapped any more cannot be compared, and runs no more.
      if (stillMapped(process.pid, mapping)) budget.fault(`${place}: ${codeOf(cause)}`)
    } finally {
      if (file !== undefined) closeSync(file)
    }
  }

  /** Offset in the file. Throws the kernel's error where memory below the file's end cannot be read. */
  #firstDifference(block: OneMapping & Block): number | undefined {
    const inFile = readFully(block.file, this.#file, block.bytes, block.offset)
    // Behind the end of the file a page holds zeros, and whole pages behind it cannot be read.
    const readable = Math.min(block.bytes, Math.ceil(inFile / PAGE) * PAGE)
    if (readable === 0) return undefined
    this.#file.fill(0, inFile, readable)
    const inMemory = readFully(block.memory, this.#memory, readable, block.at)
    if (inMemory !== readable) throw Object.assign(new Error('short'), { code: 'EIO' })
    const [memory, file] = [this.#memory.subarray(0, readable), this.#file.subarray(0, readable)]
    if (memory.equals(file)) return undefined
    return block.offset + memory.findIndex((byte, index) => byte !== file[index])
  }
}

/** What the kernel has put there has no file to be compared with: not one page of it may be the process’s own. */
function seeKernelText(
  sightings: Sightings,
  { process: { pid, comm }, mapping, pages }: Pick<OneMapping, 'process' | 'mapping' | 'pages'>,
): void {
  for (let at = mapping.start; at < mapping.end; at += BigInt(PAGE)) {
    if (pages.stateOf(at, PAGE) !== 'own') continue
    const offset = Number(at - mapping.start)
    sightings.behaviour({ kind: 'text-mismatch', pid, comm, path: mapping.path, offset })
    return
  }
}

interface OneMapping extends ProcessText {
  readonly mapping: ExecutableMapping
  readonly memory: number
  readonly pages: PageMap
  readonly choose: () => boolean
}

interface Block {
  readonly file: number
  readonly at: bigint
  readonly offset: number
  readonly bytes: number
}

/** Which of the next blocks is compared: nobody knows before the nonce does. HMAC-SHA-256 of a counter, a byte for each block. */
export function chosenBlocks({ nonce, share }: TextChallenge): () => boolean {
  let drawn = Buffer.alloc(0)
  let next = 0
  let counter = 0
  return () => {
    if (share >= 256) return true
    if (next === drawn.length) {
      drawn = createHmac('sha256', nonce).update(`vouchsafe/text-blocks/v1\0${counter++}`).digest()
      next = 0
    }
    return (drawn[next++] ?? 0) < share
  }
}

function stillMapped(pid: number, mapping: ExecutableMapping): boolean {
  return (
    executableMappings(pid)?.some(
      ({ name, file }) => name === mapping.name && file === mapping.file,
    ) ?? false
  )
}

function readFully(file: number, into: Buffer, bytes: number, from: number | bigint): number {
  let done = 0
  while (done < bytes) {
    const at = typeof from === 'bigint' ? from + BigInt(done) : from + done
    const read = readSync(file, into, done, bytes - done, at)
    if (read === 0) break
    done += read
  }
  return done
}
