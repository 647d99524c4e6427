/** Which files does a model consist of? Regular files below one folder: what leads elsewhere or is no file is refused and named. */
import { constants, type Dirent } from 'node:fs'
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Problem } from '../problems.ts'
import { MOST_BYTES, MOST_FILES } from '../seal/model-manifest.ts'
import { byCodePoint, collisionAmong, faultOfPath } from '../seal/model-path.ts'
import { IGNORED_PATHS } from '../seal/oms-statement.ts'

export interface TreeFile {
  /** Relative to the model, with slashes. */
  readonly path: string
  readonly bytes: number
  /** Changes when the content does, unless somebody takes pains: decimal nanoseconds. */
  readonly modified: string
}

/** In the order of OpenSSF Model Signing. Throws Problem('model-unusable'). */
export async function modelTree(folder: string): Promise<readonly TreeFile[]> {
  const found: TreeFile[] = []
  await walk(folder, '', found)
  if (found.length === 0) throw unusable(`there is no file in ${folder}`)
  if (found.reduce((sum, { bytes }) => sum + bytes, 0) > MOST_BYTES)
    throw unusable(`${folder} has more than ${MOST_BYTES} bytes`)
  const collision = collisionAmong(found.map(({ path }) => path))
  if (collision) throw unusable(`${collision[0]} and ${collision[1]} cannot stand side by side`)
  return found.toSorted((a, b) => byCodePoint(a.path, b.path))
}

async function walk(root: string, below: string, found: TreeFile[]): Promise<void> {
  for (const entry of await entriesOf(join(root, below))) {
    const name = nameOf(entry, below)
    if (below === '' && IGNORED_PATHS.includes(name)) continue
    const path = below === '' ? name : `${below}/${name}`
    const fault = faultOfPath(path)
    if (fault) throw unusable(`${JSON.stringify(path)} has ${fault}`)
    const state = await lstat(join(root, path), { bigint: true })
    if (state.isDirectory()) await walk(root, path, found)
    else if (state.isFile())
      found.push({ path, bytes: Number(state.size), modified: `${state.mtimeNs}` })
    else
      throw unusable(
        `${path} is ${state.isSymbolicLink() ? 'a symbolic link' : 'no regular file'}: put the file itself there`,
      )
    if (found.length > MOST_FILES) throw unusable(`${root} has more than ${MOST_FILES} files`)
  }
}

async function entriesOf(folder: string): Promise<Dirent<Buffer>[]> {
  try {
    return await readdir(folder, { withFileTypes: true, encoding: 'buffer' })
  } catch (cause) {
    throw unusable(`${folder} cannot be listed: ${messageOf(cause)}`, cause)
  }
}

function nameOf({ name }: Dirent<Buffer>, below: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(name)
  } catch (cause) {
    throw unusable(`${below || 'the model'} has a file whose name is not UTF-8`, cause)
  }
}

/** For reading. Throws Problem when it is not the file any more that was listed. */
export async function openTreeFile(folder: string, file: TreeFile): Promise<FileHandle> {
  let opened: FileHandle
  try {
    opened = await open(join(folder, file.path), constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (cause) {
    throw unusable(`${file.path} cannot be read: ${messageOf(cause)}`, cause)
  }
  try {
    await assertUnchanged(opened, file)
    return opened
  } catch (cause) {
    await opened.close()
    throw cause
  }
}

/** Throws Problem: what was read would be half of one and half of another. */
export async function assertUnchanged(opened: FileHandle, file: TreeFile): Promise<void> {
  const { size, mtimeNs } = await opened.stat({ bigint: true })
  if (Number(size) !== file.bytes || `${mtimeNs}` !== file.modified)
    throw unusable(`${file.path} was changed meanwhile: seal the model when nobody writes to it`)
}

export function unusable(detail: string, cause?: unknown): Problem {
  return new Problem('model-unusable', detail, { cause })
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
