/** What `vouchsafe doctor` asks of the machine. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { access, constants, mkdir, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
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

/** Permission bits; undefined where there is no such file. */
export async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o7777
  } catch {
    return undefined
  }
}

const LONGEST_HEALTH_MS = 2_000

/** Listens there for a moment. `ours`: what has it answers as /healthz does. Rejects where the address cannot be had at all. */
export async function probePort(host: string, port: number): Promise<'free' | 'ours' | 'taken'> {
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const server = createServer()
    server.once('error', resolve)
    server.listen(port, host, () => server.close(() => resolve(undefined)))
  })
  if (!error) return 'free'
  if (error.code !== 'EADDRINUSE') throw error
  return (await isVouchsafe(host, port)) ? 'ours' : 'taken'
}

/** Nobody else answers this to a path that he does not know, and what matters is not secret. */
async function isVouchsafe(host: string, port: number): Promise<boolean> {
  const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
  const near = everywhere[host] ?? host
  const address = `http://${near.includes(':') ? `[${near}]` : near}:${port}`
  const asked = await Promise.allSettled(
    ['/healthz', '/metrics'].map(async (path) => {
      const response = await fetch(`${address}${path}`, {
        redirect: 'manual',
        signal: AbortSignal.timeout(LONGEST_HEALTH_MS),
      })
      const text = (await response.text()).slice(0, 200)
      return text === 'ok\n' || text.startsWith('# HELP vouchsafe_')
    }),
  )
  return asked.some((each) => each.status === 'fulfilled' && each.value)
}
