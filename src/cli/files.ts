/** Files as commands see them, and the sentence for one that cannot be read. */
import { Mistake } from './arguments.ts'

export interface Files {
  /** Rejects when there is no such readable file. */
  readonly read: (path: string) => Promise<Uint8Array>
  /** Names within a folder, without their path, in a stable order. */
  readonly list: (folder: string) => Promise<readonly string[]>
  /** False, and no rejection, for what is not there. */
  readonly isDirectory: (path: string) => Promise<boolean>
}

/** Throws Mistake that names the file. `role` is what the command calls it: EVIDENCE, --endorsements. */
export async function readFile(files: Files, path: string, role: string): Promise<Uint8Array> {
  try {
    return await files.read(path)
  } catch (error) {
    throw new Mistake(
      `${role} ${path} cannot be read: ${reasonOf(error)}.`,
      'Check the path and its permissions.',
      'file-unreadable',
    )
  }
}

export async function listFolder(
  files: Files,
  path: string,
  role: string,
): Promise<readonly string[]> {
  try {
    return await files.list(path)
  } catch (error) {
    throw new Mistake(
      `${role} ${path} cannot be listed: ${reasonOf(error)}.`,
      'Check the path and its permissions.',
      'file-unreadable',
    )
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'part of its path is not a folder',
  ELOOP: 'its symbolic links go round in a circle',
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return reasons[code] ?? (error instanceof Error ? error.message : String(error))
}
