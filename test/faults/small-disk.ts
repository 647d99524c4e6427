/** A disk of a few megabytes that a test fills and empties: a tmpfs, which only root may mount. */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'

export interface SmallDisk {
  readonly path: string
  /** Until not one more page fits. */
  readonly fill: () => void
  /** What `fill` took. */
  readonly free: () => void
  readonly remove: () => void
}

export function smallDisk(megabytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'vouchsafe-small-disk-'))
  const fault = mount(path, megabytes)
  if (fault !== undefined) throw new Error(fault)
  const ballast = join(path, 'ballast')
  return {
    path,
    fill() {
      const file = openSync(ballast, 'a')
      const page = Buffer.alloc(4096)
      try {
        for (;;) writeSync(file, page)
      } catch (cause) {
        if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC')) throw cause
      } finally {
        closeSync(file)
      }
    },
    free: () => rmSync(ballast, { force: true }),
    remove() {
      // Whoever was killed on it may take a moment to let go.
      spawnSync('umount', ['-l', path])
      rmSync(path, { recursive: true, force: true })
    },
  }
}

/** A group of tests that need one; skipped with the reason where this user may not mount. */
export function describeWithSmallDisk(title: string, body: () => void): void {
  const missing = whyNot()
  describe.skipIf(missing !== undefined)(
    missing === undefined ? title : `${title} (skipped: ${missing})`,
    body,
  )
}

function whyNot(): string | undefined {
  if (userInfo().uid !== 0) return 'only root may mount a disk of its own size'
  const path = mkdtempSync(join(tmpdir(), 'vouchsafe-small-disk-'))
  try {
    return mount(path, 1)
  } finally {
    spawnSync('umount', [path])
    rmSync(path, { recursive: true, force: true })
  }
}

/** Why it cannot be. */
function mount(path: string, megabytes: number): string | undefined {
  const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0755`, 'vouchsafe-faults', path]
  const { status, stderr, error } = spawnSync('mount', options, { encoding: 'utf8' })
  if (status === 0) return undefined
  return `a tmpfs cannot be mounted here: ${error?.message ?? stderr.trim()}`
}
