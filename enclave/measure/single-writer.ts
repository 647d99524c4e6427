/**
 * Is this process the only one that writes into a folder? Each puts down a file named after itself, which nobody else can have
 * made, and then looks for others that still live. Two who come at the same instant may both be refused, and never both let in;
 * what a dead one left is swept away without a race, because its name is no living process’s.
 */
import { readFileSync } from 'node:fs'
import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

class AnotherWriter extends Error {
  override readonly name = 'AnotherWriter'
}

const NAME = /^writer-(\d{1,10})-(\d{1,20})-(.{1,64})$/

/** Resolves to what gives the folder back. Throws AnotherWriter. One process namespace is assumed: a folder is one machine’s. */
export async function becomeSingleWriter(
  folder: string,
  boot: string,
): Promise<() => Promise<void>> {
  const mine = `writer-${process.pid}-${startOf(process.pid) ?? '0'}-${boot}`
  const path = join(folder, mine)
  try {
    await (await open(path, 'wx', 0o600)).close()
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')
      throw new AnotherWriter(`this process writes to ${folder} already`)
    throw cause
  }
  for (const name of await readdir(folder)) {
    const [, pid, started, of] = NAME.exec(name) ?? []
    if (pid === undefined || name === mine) continue
    if (of === boot && startOf(Number(pid)) === started) {
      await rm(path, { force: true })
      throw new AnotherWriter(`process ${pid} writes to ${folder}: stop that one first`)
    }
    await rm(join(folder, name), { force: true })
  }
  return async () => await rm(path, { force: true })
}

/** Field 22 of /proc/PID/stat (proc(5)), counted after the command's name, which may hold anything. A pid alone comes round again. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
