/** What exactly would be approved: the content of a file as it lies in the working folder, its absence, or a reset. */
import type { Statement } from '../policy/acceptance/approval-statement.ts'
import { declaredGeneration, keepsMark } from '../policy/acceptance/generations.ts'
import { APPROVALS } from '../policy/acceptance/permitted-paths.ts'
import { losing } from '../policy/acceptance/revoked-entries.ts'
import {
  approvedGeneration,
  type Change,
  type Need,
  needsOf,
} from '../policy/acceptance/thresholds.ts'
import type { TrustFiles } from '../policy/documents/trust-files.ts'
import type { PolicyFile } from '../policy/policy.ts'
import { sha256 } from '../policy/policy-digest.ts'
import { Mistake } from './arguments.ts'
import type { WorkingFolder } from './policy-deps.ts'
import { FULL_NAME } from './policy-terms.ts'
import { revokedIn } from './policy-trust.ts'

export interface Approvable {
  readonly statement: Statement
  /** Thresholds that this working folder's root sets for it. */
  readonly needs: readonly Pick<Need, 'setting' | 'threshold'>[]
}

interface Circumstances {
  readonly folder: WorkingFolder
  readonly trust: TrustFiles
  readonly notAfter: Date
}

/** Throws Mistake: nothing named, not there, or nothing that an approval could be about. */
export async function approvableOf(
  paths: readonly string[],
  circumstances: Circumstances & { readonly isDeletion: boolean },
): Promise<readonly Approvable[]> {
  if (paths.length === 0)
    throw new Mistake(
      'PATH is missing: an approval is about one file.',
      'Name each file, from the top of the repository: agents/prod/invoice-bot.yaml.',
    )
  const files = await circumstances.folder.files()
  const approvables: Approvable[] = []
  for (const path of paths) {
    const plain = path.replace(/^(\.\/)+/, '')
    if (plain.startsWith(APPROVALS))
      throw new Mistake(`${path} is an approval itself.`, 'Name the file that is to be approved.')
    approvables.push(await approvable(plain, files, circumstances))
  }
  return approvables
}

async function approvable(
  path: string,
  files: readonly PolicyFile[],
  {
    folder,
    trust: { root },
    notAfter,
    isDeletion,
  }: Circumstances & { readonly isDeletion: boolean },
): Promise<Approvable> {
  const after = files.find((file) => file.path === path)
  if (!after && !isDeletion)
    throw new Mistake(
      `${path} is not in ${folder.path}.`,
      'Name a file from the top of the repository; to approve that it is gone, give --delete.',
    )
  if (after && isDeletion)
    throw new Mistake(`${path} is still there.`, 'Delete it first, or leave --delete out.')
  const committed = await folder.lastCommitted(path)
  const before = committed && { path, bytes: committed }
  if (!after && !before)
    throw new Mistake(`${path} was never committed here.`, 'Name a file that existed before.')
  if (after && keepsMark(path) && declaredGeneration(after) === undefined)
    throw new Mistake(
      `${path} has no metadata.generation that could be read.`,
      'Correct it first: `vouchsafe policy lint` says where.',
    )
  const change: Change = { path, before, after }
  const others = files.filter((file) => file.path !== path)
  const unrevoked = losing(
    await revokedIn(before ? [before] : []),
    await revokedIn(after ? [...others, after] : others),
  )
  return {
    statement: {
      kind: 'Approval',
      repository: root.repository,
      path,
      sha256: after ? sha256(after.bytes) : 'deleted',
      generation: approvedGeneration(change, root.generation),
      notAfter,
    },
    needs: needsOf([change], { root, rootGeneration: root.generation, unrevoked }),
  }
}

/** Throws Mistake. */
export async function resetOf(
  positionals: readonly string[],
  { folder, trust: { root }, notAfter }: Circumstances,
): Promise<Approvable> {
  const [from, to, stray] = positionals
  if (from === undefined || to === undefined || stray !== undefined)
    throw new Mistake(
      `--reset takes two commits, and ${positionals.length} were given.`,
      'Give the commit that was accepted last, which `vouchsafe policy status` prints, and the one to go on from.',
    )
  // FROM is mostly gone from this clone: that is why a reset is needed.
  const [fromName, toName] = [
    FULL_NAME.test(from) ? from : await folder.resolve(from),
    await folder.resolve(to),
  ]
  return {
    statement: {
      kind: 'Reset',
      repository: root.repository,
      from: fromName,
      to: toName,
      notAfter,
    },
    needs: [{ setting: 'spec.approvals.trust', threshold: root.approvals.trust }],
  }
}
