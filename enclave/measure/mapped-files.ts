/**
 * What code did a process load? Every file that it maps executable, by the inode that is mapped: what lies at its path by now may
 * be another file. A file that was deleted keeps ` (deleted)` in its path, as the kernel writes it, and so matches no approved one.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readlinkSync,
  statSync,
} from 'node:fs'
import { codeOf, type FileDigests, inodeOf } from './file-digest.ts'
import type { ExecutableMapping } from './proc-maps.ts'
import type { ProcessView } from './process-view.ts'
import type { Sightings } from './sightings.ts'

export interface MappedBy extends ProcessView {
  readonly digests: FileDigests
  /** See WatchedAgent. */
  readonly reached: 'through-kernel' | 'by-path'
}

/** Each with the programs and libraries of one process. */
export function seeMappedFiles(sightings: Sightings, mapped: MappedBy): void {
  const { process, mappings, budget } = mapped
  const program = programOf(process.pid)
  const seen = new Set<string>()
  for (const mapping of mappings) {
    if (mapping.file === '') continue
    const file = `${mapping.file} ${mapping.path}`
    if (seen.has(file)) continue
    seen.add(file)
    seeMapped(sightings, { ...mapped, mapping, program })
  }
  if (program?.isDeleted)
    sightings.behaviour({
      kind: 'exec',
      pid: process.pid,
      comm: process.comm,
      path: program.path,
      isAnonymous: true,
    })
  if (program === undefined && mappings.length > 0)
    budget.fault(`process ${process.pid}: which program it runs cannot be read`)
}

function seeMapped(
  sightings: Sightings,
  {
    process,
    mapping,
    program,
    digests,
    budget,
    reached,
  }: MappedBy & { readonly mapping: ExecutableMapping; readonly program: Program | undefined },
): void {
  const isByPath = reached === 'by-path'
  const through = isByPath ? mapping.path : `/proc/${process.pid}/map_files/${mapping.name}`
  try {
    const stats = statSync(through, { bigint: true })
    if (isByPath) assertSameFile(stats, mapping)
    const kind = inodeOf(stats) === program?.inode ? 'executable' : 'library'
    const known = digests.known(stats)
    if (known) {
      sightings.digest(kind, mapping.path, known.digest, budget)
      return
    }
    // The link leads to the very inode, whatever its name is now: it has to be followed.
    const file = openSync(through, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      if (isByPath) assertSameFile(fstatSync(file, { bigint: true }), mapping)
      sightings.file(kind, mapping.path, digests.readOpen(file, budget), budget)
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    // It was unmapped, or the process ended, since its maps were read. Of a path that says nothing.
    if (isByPath || !['ENOENT', 'ESRCH'].includes(codeOf(cause)))
      budget.fault(`library ${mapping.path}: ${codeOf(cause)}`)
  }
}

/** By number alone: file systems in layers name one device here and another there. */
function assertSameFile({ ino }: BigIntStats, { file }: ExecutableMapping): void {
  if (!file.endsWith(`:${ino}`))
    throw Object.assign(new Error('another file'), { code: 'another file, or none' })
}

interface Program {
  readonly inode: string
  readonly path: string
  readonly isDeleted: boolean
}

function programOf(pid: number): Program | undefined {
  try {
    const stats = statSync(`/proc/${pid}/exe`, { bigint: true })
    const path = readlinkSync(`/proc/${pid}/exe`)
    return { inode: inodeOf(stats), path: path.slice(0, 1024), isDeleted: stats.nlink === 0n }
  } catch {
    return undefined
  }
}
