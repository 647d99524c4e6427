/** What `vouchsafe doctor` asks of the machine. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { access, constants, mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** Makes the folder if need be, writes a file there and removes it. Resolves to the free bytes; rejects with the system's error. */
export async function probeDirectory(path: string): Promise<number> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  const file = join(path, `probe-${randomUUID()}`)
  try {
    await writeFile(file, 'probe', { flag: 'wx', flush: true })
  } finally {
    await rm(file, { force: true })
  }
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

/** `searchPath`: PATH. Rejects where there is no git. */
export async function gitVersion(searchPath: string): Promise<string> {
  const { stdout } = await promisify(execFile)('git', ['--version'], {
    env: { PATH: searchPath },
    timeout: 5_000,
  })
  return stdout.trim()
}

/** Where PATH finds it; undefined where it does not. */
export async function findProgram(name: string, searchPath: string): Promise<string | undefined> {
  for (const folder of searchPath.split(delimiter)) {
    const path = join(folder, name)
    try {
      await access(path, constants.X_OK)
      return path
    } catch {
      // In another folder, perhaps.
    }
  }
  return undefined
}
