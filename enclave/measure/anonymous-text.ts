/**
 * How much executable memory does a process have that belongs to no file? A JIT compiler makes such memory, and so does whoever
 * brings code of his own: which of them it is cannot be told from outside, only how much there is.
 */
import { codeOf } from './file-digest.ts'
import { PageMap } from './pagemap.ts'
import { bytesOf, type ExecutableMapping, VDSO } from './proc-maps.ts'
import type { ProcessView } from './process-view.ts'
import type { Sightings } from './sightings.ts'

const STEP = 64 * 1024
/** V8 reserves up to 512 MiB and touches little of it. More than this is told by its size, and not page by page. */
const LARGEST_RESERVED = 4 * 2 ** 30

/** In steps, so that a compiler at work makes no event for each function. */
export function seeAnonymousText(sightings: Sightings, view: ProcessView): void {
  const { process, mappings, budget } = view
  const anonymous = mappings.filter(({ file, path }) => file === '' && path !== VDSO)
  if (anonymous.length === 0) return
  try {
    const { pid, comm } = process
    const bytes = Math.ceil(touchedIn(pid, anonymous) / STEP) * STEP
    if (bytes > 0) sightings.behaviour({ kind: 'anonymous-text', pid, comm, bytes })
  } catch (cause) {
    if (!['ENOENT', 'ESRCH'].includes(codeOf(cause)))
      budget.fault(`memory of process ${process.pid}: ${codeOf(cause)}`)
  }
}

function touchedIn(pid: number, mappings: readonly ExecutableMapping[]): number {
  const reserved = mappings.reduce((sum, mapping) => sum + bytesOf(mapping), 0)
  if (reserved > LARGEST_RESERVED) return reserved
  const pages = new PageMap(pid)
  try {
    return mappings.reduce(
      (sum, mapping) => sum + (pages.touchedBytes(mapping.start, mapping.end) ?? bytesOf(mapping)),
      0,
    )
  } finally {
    pages.close()
  }
}
