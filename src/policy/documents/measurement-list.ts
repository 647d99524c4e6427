/**
 * What does a measurement list approve? A file of the policy repository with one line for each thing that an agent may load,
 * named by its own digest: `measurements/<sha256 in hex>.list`. So a manifest that names it names its content, thousands of
 * files are approved by one line, and a list is read once for all the releases that share it.
 */
import { hash } from 'node:crypto'
import type { MeasurementList } from '../../rats/release.ts'
import { sha256 } from '../policy-digest.ts'
import { visible } from '../visible-text.ts'
import { listedKinds } from './runtime-schema.ts'
import type { Mistake } from './yaml-document.ts'

/** What Git adapters read of one file. */
export const LARGEST_LIST = 1024 * 1024

const LINE = new RegExp(
  `^(?:${listedKinds.join('|')}) [0-9a-f]{64} {2}[^\\p{C}\\p{Zl}\\p{Zp}]{1,1024}$`,
  'u',
)
const PROGRAM = /^executable [0-9a-f]{64} {2}/
/** A list that is none has a mistake in every line. */
const MOST_MISTAKES = 8

export type ListReading =
  | { readonly list: MeasurementList }
  | { readonly mistakes: readonly Mistake[] }

/** `path`: from the root of the repository, `measurements/<hex>.list`. Remembered by the file in memory, whose bytes nobody changes. */
export function readMeasurementList(path: string, bytes: Uint8Array): ListReading {
  const before = read.get(bytes)
  if (before?.path === path) return before.reading
  const reading = readAnew(path, bytes)
  read.set(bytes, { path, reading })
  return reading
}

const read = new WeakMap<Uint8Array, { readonly path: string; readonly reading: ListReading }>()

export function listFile(hex: string): string {
  return `measurements/${hex}.list`
}

/** How a list spells one thing, and so how it is looked up. `digest`: `sha256:<hex>`. */
export function listLine(kind: string, digest: string, path: string): string {
  return `${kind} ${digest.slice('sha256:'.length)}  ${path}`
}

export interface ListText {
  readonly file: string
  /** Hex. */
  readonly sha256: string
  readonly text: string
}

/** The file of these lines, and how it must be called. Whether it is too large (LARGEST_LIST), its reader says. */
export function listOf(lines: readonly string[]): ListText {
  const sorted = [...new Set(lines)].toSorted()
  const text = sorted.map((line) => `${line}\n`).join('')
  const digest = hash('sha256', text, 'hex')
  return { file: listFile(digest), sha256: digest, text }
}

/** Whether a list may hold this line at all. */
export function isListLine(line: string): boolean {
  return LINE.test(line)
}

function readAnew(path: string, bytes: Uint8Array): ListReading {
  if (bytes.length > LARGEST_LIST)
    return mistaken(1, `is ${bytes.length} bytes long; at most ${LARGEST_LIST} are read: split it`)
  const digest = sha256(bytes)
  if (path !== listFile(digest))
    return mistaken(1, `its content has the digest ${digest}: call it ${listFile(digest)}`)
  const text = utf8(bytes)
  if (text === undefined) return mistaken(1, 'is not text in UTF-8')
  if (!text.endsWith('\n')) return mistaken(1, 'must hold lines, the last of which ends too')
  const lines = text.slice(0, -1).split('\n')
  const mistakes: Mistake[] = []
  for (const [index, line] of lines.entries()) {
    if (LINE.test(line)) continue
    const message = `${visible(line)} is not <kind> <sha256 in hex>  <path>, with a kind among ${listedKinds.join(', ')} and two spaces before the path`
    if (mistakes.push({ line: index + 1, column: 1, message }) === MOST_MISTAKES) break
  }
  if (mistakes.length > 0) return { mistakes }
  const programs = lines.filter((line) => PROGRAM.test(line)).map((line) => pathOf(line))
  return {
    list: { file: path, sha256: digest, lines: new Set(lines), programs: new Set(programs) },
  }
}

/** After kind, digest and three spaces. */
function pathOf(line: string): string {
  return line.slice(line.indexOf(' ') + 1 + 64 + 2)
}

function mistaken(line: number, message: string): ListReading {
  return { mistakes: [{ line, column: 1, message }] }
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
