/** Plaintext into a folder that is there whole or not at all: under another name until the last file has been verified. */
import { randomUUID } from 'node:crypto'
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { ModelSink } from './model-open.ts'
import { writeAll } from './model-seal-file.ts'
import { messageOf, unusable } from './model-tree.ts'

export interface ModelFolder {
  /** `path`: as readManifest lets it pass, so below the folder. */
  readonly sinkOf: (file: { readonly path: string }) => Promise<ModelSink>
  /** Gives the folder its name. */
  readonly keep: () => Promise<void>
  readonly discard: () => Promise<void>
}

/** Throws Problem('model-unusable') for a folder that is there. For its owner only. */
export async function modelFolder(out: string): Promise<ModelFolder> {
  const target = resolve(out)
  if (await lstat(target).catch(() => undefined))
    throw unusable(`${out} is there already: name another folder`)
  // Beside it, so that it is on the same file system.
  const draft = `${target}.${randomUUID()}.opening`
  await mkdir(draft, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw unusable(`${out} cannot be made: ${messageOf(cause)}`, cause)
  })
  return {
    async sinkOf({ path }) {
      const place = join(draft, path)
      await mkdir(dirname(place), { recursive: true, mode: 0o700 })
      const file = await open(place, 'wx', 0o600)
      let written = 0
      return {
        async write(chunk) {
          await writeAll(file, chunk, written)
          written += chunk.length
        },
        async end() {
          await file.sync()
          await file.close()
        },
        abandon: async () => await file.close(),
      }
    },
    async keep() {
      try {
        await rename(draft, target)
      } catch (cause) {
        throw unusable(`${out} cannot be made: ${messageOf(cause)}`, cause)
      }
    },
    discard: async () => await rm(draft, { recursive: true, force: true }),
  }
}
