/** Files that must be on the disk before anybody hears of what is in them: whole or not at all, a power cut included. */
import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the folders above it. Only its owner may read it. */
export async function keepDurably(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    await synced(temporary, 'wx', (file) => file.writeFile(bytes))
    await rename(temporary, path)
    // The new name too.
    await synced(folder, 'r', async () => {})
  } catch (cause) {
    await rm(temporary, { force: true })
    throw cause
  }
}

async function synced(
  path: string,
  flags: 'wx' | 'r',
  write: (file: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags, 0o600)
  try {
    await write(file)
    await file.sync()
  } finally {
    await file.close()
  }
}
