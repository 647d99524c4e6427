/** Where does the repository of a folder lie: in its .git, in what a .git file names (a worktree), or is it bare itself? */
import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { HistoryFault } from '../policy/acceptance/acceptance.ts'

/** Parent folders are never searched. Throws HistoryFault. */
export async function gitDirectoryOf(folder: string): Promise<string> {
  const top = resolve(folder)
  const nested = join(top, '.git')
  const entry = await stat(nested).catch(() => undefined)
  if (entry?.isDirectory()) return nested
  if (entry?.isFile()) {
    const [, named] = /^gitdir: (.+)$/m.exec(await readFile(nested, 'utf8')) ?? []
    if (named !== undefined) return resolve(top, named)
  }
  const objects = await stat(join(top, 'objects')).catch(() => undefined)
  if (objects?.isDirectory()) return top
  throw new HistoryFault(
    `${top} is no Git repository: name the top of a clone, or an address that Git can fetch from`,
  )
}
