/** A backup as a file: there whole or not at all, and for its owner only. */
import { createReadStream, existsSync } from 'node:fs'
import { link, open, rm } from 'node:fs/promises'
import { Problem } from '../problems.ts'
import type { BackupHeader } from './backup-format.ts'
import { type Restored, type RestoreTerms, restoreBackup } from './backup-restore.ts'
import { type BackupTerms, writeBackup } from './backup-write.ts'
import type { SqlEngine } from './sql-engine.ts'

/** Refuses to overwrite. Throws Problem: 'configuration-invalid', 'storage-unavailable'. */
export async function backupToFile(
  engine: SqlEngine,
  file: string,
  terms: Omit<BackupTerms, 'write'>,
): Promise<BackupHeader> {
  const draft = `${file}.part`
  const output = await create(draft)
  try {
    const write = async (bytes: Uint8Array) => {
      await output.writeFile(bytes)
    }
    if (existsSync(file)) throw taken(file)
    const header = await writeBackup(engine, { ...terms, write })
    await output.sync()
    // Unlike a rename it never takes the place of what is there.
    await link(draft, file).catch(() => {
      throw taken(file)
    })
    return header
  } finally {
    await output.close()
    await rm(draft, { force: true })
  }
}

function taken(file: string): Problem {
  return new Problem('configuration-invalid', `${file} is there already: name another file`)
}

export async function restoreFromFile(
  engine: SqlEngine,
  file: string,
  terms: Omit<RestoreTerms, 'chunks'>,
): Promise<Restored> {
  return await restoreBackup(engine, { ...terms, chunks: chunksOf(file) })
}

async function* chunksOf(file: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) yield chunk
  } catch (cause) {
    throw new Problem('configuration-invalid', `${file} cannot be read: ${messageOf(cause)}`, {
      cause,
    })
  }
}

async function create(file: string) {
  try {
    return await open(file, 'wx', 0o600)
  } catch (cause) {
    throw new Problem('configuration-invalid', `${file} cannot be made: ${messageOf(cause)}`, {
      cause,
    })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
