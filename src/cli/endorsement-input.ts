/** `--endorsements PATH`: files, and folders of files to a bounded depth. One that cannot be read stops everything: nothing is skipped in silence. */
import { type EndorsementParts, type Endorsements, endorsements } from '../rats/endorsements.ts'
import { endorsementsOfFile } from '../service/endorsement-files.ts'
import { Mistake } from './arguments.ts'
import { type Files, listFolder, readFile } from './files.ts'

const OPTION = '--endorsements'
const DEEPEST = 4
const MOST_FILES = 512

/** Throws Mistake or Problem('endorsement-unreadable'), each naming the file. Files whose names begin with a dot are passed over within folders. */
export async function readEndorsements(
  files: Files,
  paths: readonly string[],
): Promise<Endorsements> {
  const found: string[] = []
  for (const path of paths) await collect({ files, path, depth: 0, found })
  const parts: EndorsementParts[] = []
  for (const path of found)
    parts.push(endorsementsOfFile(path, await readFile(files, path, OPTION)))
  return endorsements(...parts)
}

async function collect(walk: {
  readonly files: Files
  readonly path: string
  readonly depth: number
  readonly found: string[]
}): Promise<void> {
  const { files, path, depth, found } = walk
  if (!(await files.isDirectory(path))) {
    if (found.length === MOST_FILES)
      throw new Mistake(
        `${OPTION} names more than ${MOST_FILES} files.`,
        'Give the files that belong to this evidence: its certificates, revocation lists and collateral.',
      )
    found.push(path)
    return
  }
  if (depth === DEEPEST)
    throw new Mistake(
      `${OPTION} ${path} lies more than ${DEEPEST} folders deep.`,
      'Name the folder that holds the files.',
    )
  for (const name of await listFolder(files, path, OPTION))
    if (!name.startsWith('.'))
      await collect({ files, path: `${path}/${name}`, depth: depth + 1, found })
}
