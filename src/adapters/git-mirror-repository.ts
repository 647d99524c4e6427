/**
 * One bare repository that a mirror keeps, and what is just being received beside it. The files that git would write once are
 * written here, so that damage to them is mended by writing them again; a leftover of a process that was killed is removed
 * as soon as no process can be using it.
 */
import { randomUUID } from 'node:crypto'
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { HistoryFault } from '../policy/acceptance/acceptance.ts'
import { type GitSettings, runGit } from './git-process.ts'

/** A commit's name tells which: 40 or 64 digits. */
export type ObjectFormat = 'sha1' | 'sha256'

export interface MirrorRepository {
  readonly gitDir: string
  readonly exists: () => Promise<boolean>
  /** Makes it, or mends it without touching objects and refs. */
  readonly prepare: () => Promise<void>
  /** Undefined: never set. Throws HistoryFault for what cannot be read: what was accepted is not forgotten silently. */
  readonly ref: (name: MirrorRef) => Promise<KeptRef | undefined>
  readonly setRef: (name: MirrorRef, commit: string) => Promise<void>
  /** Resolves if all that the refs lead to is there. Throws HistoryFault. */
  readonly check: () => Promise<void>
  /** A new empty repository for `use`, gone when that ends. `borrowing`: what is here need not be received again. */
  readonly beside: <T>(
    how: 'borrowing' | 'alone',
    use: (gitDir: string) => Promise<T>,
  ) => Promise<T>
  /** Moves all packs here from a repository that was made by `beside`, and resolves to their names. */
  readonly takeOver: (gitDir: string) => Promise<readonly string[]>
  readonly packs: () => Promise<readonly Pack[]>
  readonly remove: (packs: readonly Pack[]) => Promise<void>
  /** Leaves one pack of all that the refs lead to. Throws HistoryFault, and then everything is still there. */
  readonly sweep: () => Promise<void>
}

export type MirrorRef = 'accepted' | 'candidate'

export interface KeptRef {
  readonly commit: string
  readonly writtenAt: Date
}

export interface Pack {
  /** `pack-<digest>.pack` */
  readonly name: string
  readonly bytes: number
}

export interface MirrorPlace extends GitSettings {
  readonly directory: string
  readonly format: ObjectFormat
}

/** Longer than any repacking takes. */
const STALE_SCRATCH_MS = 3_600_000

export function mirrorRepository(place: MirrorPlace): MirrorRepository {
  const { directory, format, timeoutMs } = place
  const gitDir = join(directory, `${format}.git`)
  const packFolder = join(gitDir, 'objects/pack')
  const git = async (...args: readonly string[]) => {
    await runGit({ ...place, args: ['--git-dir', gitDir, ...args], mostBytes: 64 * 1024 })
  }

  async function prepare(): Promise<void> {
    for (const folder of ['objects/pack', 'objects/info', 'refs/vouchsafe'])
      await mkdir(join(gitDir, folder), { recursive: true, mode: 0o700 })
    for (const [name, text] of Object.entries(initialFiles(format)))
      await writeWhole(join(gitDir, name), text, directory)
  }

  /** Others may be at work in the same folder: only age tells what they have left. */
  async function removeLeftovers(): Promise<void> {
    for (const name of await listed(directory)) {
      const path = join(directory, name)
      if (name.startsWith('draft-')) await removeOld(path, STALE_SCRATCH_MS)
      if (!name.startsWith('incoming-')) continue
      // Nothing is received for longer than the time-out.
      const touched = await Promise.all([path, join(path, 'objects/pack')].map(touchedAt))
      const last = Math.max(...touched.map((at) => at ?? 0))
      if (Date.now() - last > 2 * timeoutMs + 60_000)
        await rm(path, { recursive: true, force: true })
    }
    const packed = await listed(packFolder)
    for (const name of packed) {
      const isScratch = /^(\.tmp-|tmp_)/.test(name)
      const isUnpaired = name.endsWith('.pack') && !packed.includes(name.replace(/pack$/, 'idx'))
      if (isScratch || isUnpaired) await removeOld(join(packFolder, name), STALE_SCRATCH_MS)
    }
  }

  async function ref(name: MirrorRef): Promise<KeptRef | undefined> {
    const file = join(gitDir, 'refs/vouchsafe', name)
    const text = await textOf(file)
    if (text === undefined) return await packedRef(name)
    return { commit: commitIn(text, file), writtenAt: (await stat(file)).mtime }
  }

  /** Where somebody ran `git gc` by hand. */
  async function packedRef(name: MirrorRef): Promise<KeptRef | undefined> {
    const file = join(gitDir, 'packed-refs')
    const text = await textOf(file)
    const line = text?.split('\n').find((one) => one.endsWith(` refs/vouchsafe/${name}`))
    if (line === undefined) return undefined
    const [commit = ''] = line.split(' ')
    return { commit: commitIn(`${commit}\n`, file), writtenAt: (await stat(file)).mtime }
  }

  /** Git would also ask this repository for its refs, twice and by a process each (git-process.ts says no). */
  async function lendTo(incoming: string): Promise<void> {
    await writeFile(join(incoming, 'objects/info/alternates'), `../../${format}.git/objects\n`)
    const lines = []
    for (const name of ['accepted', 'candidate'] as const) {
      const kept = await ref(name).catch(() => undefined)
      if (kept) lines.push(`${kept.commit} refs/vouchsafe/${name}-before\n`)
    }
    await writeFile(join(incoming, 'packed-refs'), lines.join(''))
  }

  function commitIn(text: string, file: string): string {
    const commit = text.slice(0, -1)
    if (/^[0-9a-f]+\n$/.test(text) && commit.length === (format === 'sha1' ? 40 : 64)) return commit
    throw new HistoryFault(
      `${file} is damaged: it holds no commit. Write the last accepted commit into it (the database and the log name it), or remove it to go on without this floor`,
    )
  }

  return {
    gitDir,
    exists: async () => (await touchedAt(gitDir)) !== undefined,
    prepare,
    ref,
    // As git would without its lock, which a process that is killed leaves behind: nobody else has refs here to change.
    setRef: async (name, commit) =>
      await writeWhole(join(gitDir, 'refs/vouchsafe', name), `${commit}\n`, directory),
    async check() {
      const refs = []
      for (const name of ['accepted', 'candidate'] as const)
        if (await ref(name)) refs.push(`refs/vouchsafe/${name}`)
      if (refs.length > 0) await git('rev-list', '--objects', '--quiet', ...refs, '--')
    },
    async beside(how, use) {
      await removeLeftovers()
      const incoming = await mkdtemp(join(directory, 'incoming-'))
      try {
        for (const folder of ['objects/pack', 'objects/info', 'refs'])
          await mkdir(join(incoming, folder), { recursive: true })
        for (const [name, text] of Object.entries(initialFiles(format)))
          await writeFile(join(incoming, name), text)
        if (how === 'borrowing') await lendTo(incoming)
        return await use(incoming)
      } finally {
        await rm(incoming, { recursive: true, force: true })
      }
    },
    async takeOver(incoming) {
      const from = join(incoming, 'objects/pack')
      // The index last: without it git does not see the pack.
      const files = (await listed(from))
        .filter((name) => /^pack-[0-9a-f]+\.(pack|rev|idx)$/.test(name))
        .toSorted((a, b) => endings.indexOf(endingOf(a)) - endings.indexOf(endingOf(b)))
      for (const name of files) {
        const now = new Date()
        await utimes(join(from, name), now, now)
        await rename(join(from, name), join(packFolder, name))
      }
      // Git has synced the files themselves.
      const folder = await open(packFolder, 'r')
      await folder.sync().finally(() => folder.close())
      return files.filter((name) => name.endsWith('.pack'))
    },
    async packs() {
      const names = (await listed(packFolder)).filter((name) => name.endsWith('.pack'))
      return await Promise.all(
        names.map(async (name) => ({
          name,
          bytes: await stat(join(packFolder, name)).then(
            ({ size }) => size,
            // Another process has swept.
            () => 0,
          ),
        })),
      )
    },
    async remove(packs) {
      for (const { name } of packs)
        for (const ending of endings.toReversed())
          await rm(join(packFolder, name.replace('.pack', ending)), { force: true })
    },
    async sweep() {
      // Throws if it is damaged: what it protects would go.
      await ref('accepted')
      await git('repack', '-a', '-d', '-q', '-n')
    },
  }
}

const endings = ['.pack', '.rev', '.idx']
const endingOf = (name: string) => name.slice(name.lastIndexOf('.'))

/** gitrepository-layout: these, `objects` and `refs` make a repository. */
function initialFiles(format: ObjectFormat): Readonly<Record<string, string>> {
  const version = format === 'sha1' ? 0 : 1
  const extensions = format === 'sha1' ? '' : '[extensions]\n\tobjectFormat = sha256\n'
  return {
    HEAD: 'ref: refs/heads/none\n',
    config: `[core]\n\trepositoryFormatVersion = ${version}\n\tbare = true\n${extensions}`,
  }
}

/**
 * Unless it is so already. Whoever reads it meanwhile, or after a power cut, sees the old text or the new one. The draft lies
 * in a folder of the same file system where nobody takes it for something else: git would take one under refs for a ref.
 */
export async function writeWhole(path: string, text: string, drafts: string): Promise<void> {
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return
  const draft = join(drafts, `draft-${randomUUID()}`)
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}

/** Undefined only where there is none: a file that cannot be read is not one that was never written. */
async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'latin1')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new HistoryFault(`what was accepted last could not be read: ${cause}`)
  }
}

async function removeOld(file: string, ageMs: number): Promise<void> {
  const at = await touchedAt(file)
  if (at !== undefined && Date.now() - at > ageMs) await rm(file, { force: true })
}

/** Undefined: it is not there. */
async function touchedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs
  } catch {
    return undefined
  }
}

async function listed(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch(() => [])
}
