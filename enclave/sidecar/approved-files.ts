/**
 * Which files may this agent start, and map executable? Measurement lists (docs/policy.md, spec.runtime.lists) that lie on the
 * machine and are part of what was measured when it was launched: read once, before the agent runs. Each program and library
 * is known by its inode and ctime from then on, so that judging one costs no reading. A file that took its place since is none
 * of them, whatever it holds.
 */
import { readFileSync, statSync } from 'node:fs'
import type { Measurement } from '../../src/rats/runtime-event.ts'
import { Budget } from '../measure/budget.ts'
import { FileDigests, type FileReading, inodeOf } from '../measure/file-digest.ts'
import type { SeenFile } from '../sensor/sensor-event.ts'

export interface ApprovedFiles {
  readonly mayStart: (file: SeenFile) => boolean
  readonly mayMap: (file: SeenFile) => boolean
  /** Whether the lists name this content at this place for this use. They do not name models, and not what an agent changes itself. */
  readonly names: (measurement: Measurement) => boolean
}

export class ApprovedFilesFault extends Error {
  override readonly name = 'ApprovedFilesFault'
}

/** As src/policy/documents/measurement-list.ts writes it, which is a stranger here: one definition of the format, in docs/policy.md. */
const LINE = /^([a-z]+) ([0-9a-f]{64}) {2}(.{1,1024})$/
const LARGEST_LIST = 1024 * 1024
/** Where lists are silent, others speak: the manifest. */
const UNLISTED = ['model', 'state', 'configuration', 'environment', 'plugin']
/** Of all the programs of an image: a disk that is so slow is no disk to start from. */
const LIMITS = { milliseconds: 120_000, files: 100_000 }

/** Throws ApprovedFilesFault for what is no list, and for a listed program or library that is here and is another. */
export function readApprovedFiles(paths: readonly string[]): ApprovedFiles {
  const lines = new Set(paths.flatMap(linesOf))
  const started = new Set<string>()
  const mapped = new Set<string>()
  const digests = new FileDigests()
  const budget = new Budget(LIMITS, () => performance.now())
  for (const line of lines) {
    const [, kind = '', hex, path = ''] = LINE.exec(line) ?? []
    if (kind !== 'executable' && kind !== 'library') continue
    const known = knownAs(path, { digests, budget, digest: `sha256:${hex}` })
    if (known === undefined) continue
    mapped.add(known)
    if (kind === 'executable') started.add(known)
  }
  return {
    mayStart: (file) => !file.isTruncated && started.has(nameOf(file)),
    mayMap: (file) => !file.isTruncated && mapped.has(nameOf(file)),
    names: ({ kind, path, digest }) =>
      UNLISTED.includes(kind) ||
      usesOf(kind).some((as) => lines.has(`${as} ${digest.slice('sha256:'.length)}  ${path}`)),
  }
}

/** As src/policy/runtime/approved.ts: what may be started may be mapped, and what may be mapped may be read. */
function usesOf(kind: Measurement['kind']): readonly string[] {
  if (kind === 'code') return ['code', 'library', 'executable']
  return kind === 'library' ? ['library', 'executable'] : [kind]
}

function linesOf(path: string): readonly string[] {
  const text = textOf(path)
  const lines = text.endsWith('\n') ? text.slice(0, -1).split('\n') : []
  const wrong = lines.findIndex((line) => !LINE.test(line))
  if (lines.length === 0 || wrong >= 0)
    throw new ApprovedFilesFault(
      `${path} is no measurement list: line ${wrong + 1} is not <kind> <sha256 in hex>  <path>`,
    )
  return lines
}

function textOf(path: string): string {
  try {
    if (statSync(path).size <= LARGEST_LIST) return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ApprovedFilesFault(`${path} cannot be read`, { cause })
  }
  throw new ApprovedFilesFault(`${path} is larger than ${LARGEST_LIST} bytes: split it`)
}

interface Expected {
  readonly digests: FileDigests
  readonly budget: Budget
  readonly digest: string
}

/** Undefined where there is no such file: a list may approve more than one image holds. */
function knownAs(path: string, { digests, budget, digest }: Expected): string | undefined {
  let reading: FileReading = { pending: true }
  while ('pending' in reading) {
    if (budget.isOver())
      throw new ApprovedFilesFault('there was no time to read all that is listed')
    reading = digests.read(path, budget)
  }
  if ('fault' in reading) {
    if (reading.fault === 'ENOENT') return undefined
    throw new ApprovedFilesFault(`${path}: ${reading.fault}`)
  }
  if (reading.digest !== digest)
    throw new ApprovedFilesFault(
      `${path} has the digest ${reading.digest}, and ${digest} is listed`,
    )
  const stats = statSync(path, { bigint: true })
  return nameOf({ path, inode: inodeOf(stats), changedAt: String(stats.ctimeNs) })
}

function nameOf({
  path,
  inode,
  changedAt,
}: Pick<SeenFile, 'path' | 'inode' | 'changedAt'>): string {
  return `${inode} ${changedAt} ${path}`
}
