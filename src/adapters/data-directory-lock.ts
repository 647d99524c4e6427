/**
 * One process per data directory: PGlite lets two open the same one, and then loses writes of both in silence. A lock file,
 * made exclusively, names its holder, who touches it every few seconds. A holder on this machine is judged by whether it
 * lives; one elsewhere (another container on the same volume) by when it last did.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { Problem } from '../problems.ts'

export interface DataDirectoryLock {
  /** Gives the directory back. */
  readonly release: () => Promise<void>
}

const HEARTBEAT_MS = 5_000
const SILENT_MS = 30_000

const holderSchema = z.object({
  pid: z.int().positive(),
  /** When the process began, as the kernel counts: a pid alone comes round again, and in containers it is always 1. */
  started: z.string(),
  host: z.string(),
})
type Holder = z.infer<typeof holderSchema>

/** Makes the directory if it is not there. Throws Problem('configuration-invalid') that names the holder. */
export async function lockDataDirectory(directory: string): Promise<DataDirectoryLock> {
  const file = join(directory, 'vouchsafe.lock')
  await makeDirectory(directory)
  if (!(await create(file))) {
    await removeStale(file)
    if (!(await create(file))) throw inUse(file, 'another process was faster')
  }
  const heartbeat = setInterval(() => {
    const now = new Date()
    // A directory that was deleted under us shows in the next write to it.
    utimes(file, now, now).catch(() => {})
  }, HEARTBEAT_MS)
  heartbeat.unref()
  return {
    async release() {
      clearInterval(heartbeat)
      await rm(file, { force: true })
    },
  }
}

/** Written aside and linked into place, so that nobody ever reads a lock that is still empty and takes it for an abandoned one. */
async function create(file: string): Promise<boolean> {
  const me: Holder = { pid: process.pid, started: startOf(process.pid) ?? '', host: hostname() }
  const draft = `${file}.${randomUUID()}`
  try {
    await writeFile(draft, JSON.stringify(me), { flag: 'wx', mode: 0o600 })
    await link(draft, file)
    return true
  } catch (cause) {
    if (isCode(cause, 'EEXIST')) return false
    throw new Problem('configuration-invalid', `${file} cannot be made: ${messageOf(cause)}`, {
      cause,
    })
  } finally {
    await rm(draft, { force: true })
  }
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new Problem(
      'configuration-invalid',
      `the data directory ${directory} cannot be made: ${messageOf(cause)}`,
      { cause },
    )
  }
}

/** Two that find the same stale lock must not both remove it, or the second removes the first one's new lock. */
async function removeStale(file: string): Promise<void> {
  await refuseIfHeld(file)
  const takeover = `${file}.takeover`
  if (!(await create(takeover)))
    throw inUse(
      file,
      `another process is taking over; if none is running, delete ${takeover} and start again`,
    )
  try {
    await refuseIfHeld(file)
    await rm(file, { force: true })
  } finally {
    await rm(takeover, { force: true })
  }
}

async function refuseIfHeld(file: string): Promise<void> {
  const holder = await holderOf(file)
  if (!holder) return
  if (holder.host !== hostname()) {
    const silentMs = Date.now() - (await stat(file)).mtimeMs
    if (silentMs < SILENT_MS)
      throw inUse(
        file,
        `a process on ${holder.host} holds it and was alive ${Math.round(silentMs / 1000)} s ago; if it is gone, start again in ${SILENT_MS / 1000} s`,
      )
    return
  }
  const isAlive = startOf(holder.pid) === holder.started
  if (isAlive) throw inUse(file, `process ${holder.pid} holds it; stop that one first`)
}

/** Undefined when the file is gone or was never finished: nobody who lives left it so. */
async function holderOf(file: string): Promise<Holder | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return undefined
  }
}

/** Field 22 of /proc/PID/stat (proc(5)), counted after the command's name, which may hold anything; undefined when there is no such process. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return isRunning(pid) ? 'running' : undefined
  }
}

/** Where there is no /proc, a pid that runs is taken for its holder. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return isCode(cause, 'EPERM')
  }
}

function inUse(file: string, why: string): Problem {
  return new Problem('configuration-invalid', `the data directory is in use (${file}): ${why}`)
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
