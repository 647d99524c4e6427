/**
 * May this one commit follow its first parent? By the parent's word alone: who signed it, whether every change is his to
 * make, whether generations rise, and whether enough people approved. A merge is judged like any commit, by what it changes
 * against its first parent, whatever its other parents hold.
 */
import { createHash } from 'node:crypto'
import { Malformed } from '../../bytes/malformed.ts'
import type { PolicyFile } from '../policy.ts'
import { type Commit, type Person, readCommit } from '../signatures/commit-object.ts'
import { signerOfCommit } from '../signatures/signer.ts'
import { visible } from '../visible-text.ts'
import type { JudgedCommit } from './acceptance.ts'
import {
  type Declared,
  declaredGenerations,
  generationFault,
  keepsMark,
  TRUST_ROOT,
} from './generations.ts'
import { type Ground, nextGround } from './ground.ts'
import { judgeApprovals } from './judge-approvals.ts'
import { pathFault } from './permitted-paths.ts'
import { AMEND, type Refusal, refusal, schemaRefusal, short } from './refusal.ts'
import { losing } from './revoked-entries.ts'
import { type Change, mayNeedApproval, needsOf, REVOKED, TRUST } from './thresholds.ts'
import type { Walk } from './walk.ts'

interface CommitQuestion {
  readonly commit: string
  /** Of its first parent. Of the commit itself where configuration vouches for its trust files: then `isFounding`. */
  readonly ground: Ground
  readonly isFounding: boolean
  readonly marks: ReadonlyMap<string, number>
  readonly walk: Walk
}

interface JudgedStep {
  readonly judged: JudgedCommit
  /** By which the next commit is judged. */
  readonly ground: Ground
  readonly changedPaths: readonly string[]
  /** Marks that rose. */
  readonly marks: ReadonlyMap<string, number>
}

export async function judgeCommit(
  question: CommitQuestion,
): Promise<JudgedStep | { readonly refusal: Refusal }> {
  const { commit, ground, isFounding, walk } = question
  const read = await readGenuine(question)
  if ('refusal' in read) return read
  const signer = await signerOfCommit(read.commit, {
    trust: ground.trust.signers,
    at: await walk.seen(commit),
    revoked: ground.revoked.signerKeys,
    verifyOpenPgp: walk.verifyOpenPgp,
  })
  if ('refusal' in signer) return unknownSigner(commit, signer.refusal, read.commit.author)
  const { principal } = signer

  const changedPaths = await walk.changedPaths(commit)
  // Whoever vouched for the trust files vouched for their content, whoever committed it.
  const own = isFounding ? changedPaths.filter((path) => !path.startsWith(TRUST)) : changedPaths
  const fault = pathFault(principal, own, ground.trust.root)
  if (fault !== undefined) return unknownSigner(commit, `${principal} signed it, and ${fault}`)

  const files = await filesAfter(question, changedPaths)
  const next = isFounding
    ? { ground }
    : await nextGround(ground, {
        commit,
        files,
        changes: {
          trust: changedPaths.some((path) => path.startsWith(TRUST)),
          revoked: changedPaths.some((path) => path.startsWith(REVOKED)),
        },
        pause: walk.pause,
      })
  if ('refusal' in next) return next

  const marks = await judgeGenerations(question, { changedPaths, files, next: next.ground })
  if ('refusal' in marks) return marks

  const needs = needsOf(await changesOf(question, own, files), {
    root: ground.trust.root,
    rootGeneration: next.ground.trust.root.generation,
    unrevoked: losing(ground.revoked, next.ground.revoked),
  })
  const approvals = await judgeApprovals({ commit, ground, principal, needs, walk })
  if ('refusal' in approvals) return approvals
  return {
    judged: { commit, principal, approvals: approvals.approvedBy },
    ground: next.ground,
    changedPaths,
    marks: marks.marks,
  }
}

/** The bytes must be those that the name promises, and follow where the walk says: nothing stands in for another commit. */
async function readGenuine({
  commit,
  ground,
  isFounding,
  walk,
}: CommitQuestion): Promise<{ readonly commit: Commit } | { readonly refusal: Refusal }> {
  const raw = await walk.history.commitObject(commit)
  const name = createHash(commit.length === 40 ? 'sha1' : 'sha256')
    .update(`commit ${raw.length}\0`)
    .update(raw)
    .digest('hex')
  let read: Commit
  try {
    read = readCommit(raw)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return unknownSigner(
      commit,
      `its object cannot be read: found ${visible(cause.observed)}, expected ${visible(cause.expected)}`,
    )
  }
  const follows = isFounding || read.parents[0] === ground.commit
  if (name === commit && follows) return { commit: read }
  return {
    refusal: refusal({
      condition: 'RollbackOrRewrite',
      commit,
      message:
        name === commit
          ? `commit ${short(commit)} has the first parent ${short(read.parents[0] ?? 'none')} and was handed out as the one after ${short(ground.commit)}: this clone shows another history than its commits. Delete the clone, so that it is fetched again`
          : `commit ${short(commit)} was handed out with the content of ${short(name)}: something stands in for it in this clone. Delete the clone, so that it is fetched again`,
    }),
  }
}

/** Above so many paths, asking for the whole tree is cheaper than naming them. */
const MOST_NAMED = 200

/** Contents after the commit, where anything depends on them: all of trust/ and revoked/ once anything there changed. */
async function filesAfter(
  { commit, ground, isFounding, walk }: CommitQuestion,
  changedPaths: readonly string[],
): Promise<readonly PolicyFile[]> {
  const { root } = ground.trust
  const folders = [TRUST, REVOKED].filter(
    (folder) => !isFounding && changedPaths.some((path) => path.startsWith(folder)),
  )
  const single = changedPaths.filter(
    (path) =>
      !folders.some((folder) => path.startsWith(folder)) &&
      (keepsMark(path) || mayNeedApproval(path, root)),
  )
  const wanted = [...folders, ...single]
  if (wanted.length === 0) return []
  return await walk.history.filesOf(commit, wanted.length > MOST_NAMED ? undefined : wanted)
}

interface After {
  readonly changedPaths: readonly string[]
  readonly files: readonly PolicyFile[]
  readonly next: Ground
}

/** Every file under trust/ counts as the root: its generation is that of them all. */
async function judgeGenerations(
  { commit, ground, marks, isFounding, walk }: CommitQuestion,
  { changedPaths, files, next }: After,
): Promise<{ readonly marks: ReadonlyMap<string, number> } | { readonly refusal: Refusal }> {
  const changed = new Set(changedPaths)
  const risen = new Map<string, number>()
  const own = files.filter(({ path }) => changed.has(path) && path !== TRUST_ROOT)
  const declared: Declared[] = []
  // Broken YAML takes long to read: the first of a thousand such files are reason enough.
  for (let at = 0; at < own.length; at += AT_ONCE) {
    declared.push(...(await declaredGenerations(own.slice(at, at + AT_ONCE), walk.pause)))
    const broken = declared.filter(({ generation }) => generation === undefined)
    if (broken.length >= MOST_BROKEN) return tooBroken(commit, broken)
  }
  const touchesTrust = changedPaths.some((path) => path.startsWith(TRUST))
  const root = { path: TRUST_ROOT, generation: next.trust.root.generation }
  for (const one of touchesTrust ? [root, ...declared] : declared) {
    const fault = isFounding ? undefined : generationFault(one, { marks, root: ground.trust.root })
    if (fault !== undefined)
      return {
        refusal: refusal({
          condition: 'RollbackOrRewrite',
          commit,
          message: `commit ${short(commit)} may not become policy: ${fault}. ${AMEND}`,
          mistakes: [{ file: one.path, line: 1, column: 1, message: fault }],
        }),
      }
    if (one.generation !== undefined) risen.set(one.path, one.generation)
  }
  return { marks: risen }
}

const AT_ONCE = 10
const MOST_BROKEN = 20

function tooBroken(commit: string, broken: readonly Declared[]): { readonly refusal: Refusal } {
  return {
    refusal: schemaRefusal({
      commit,
      why: 'it changes documents that cannot be read',
      mend: AMEND,
      mistakes: broken.map(({ path }) => ({
        file: path,
        line: 1,
        column: 1,
        message: 'no metadata.generation can be read from it; `vouchsafe policy lint` says why',
      })),
    }),
  }
}

async function changesOf(
  { ground, isFounding, walk }: CommitQuestion,
  paths: readonly string[],
  files: readonly PolicyFile[],
): Promise<readonly Change[]> {
  const after = new Map(files.map((file) => [file.path, file]))
  const asked = paths.filter((path) => mayNeedApproval(path, ground.trust.root))
  const deleted = isFounding ? [] : asked.filter((path) => !after.has(path))
  const old =
    deleted.length === 0
      ? []
      : await walk.history.filesOf(ground.commit, deleted.length > MOST_NAMED ? undefined : deleted)
  const before = new Map(old.map((file) => [file.path, file]))
  return asked.map((path) => ({ path, before: before.get(path), after: after.get(path) }))
}

/** `claimed`: where nobody is known to have signed it, whom it names itself may help to find out. */
function unknownSigner(
  commit: string,
  why: string,
  claimed?: Person,
): { readonly refusal: Refusal } {
  const says = claimed ? `, which says that it is by ${claimed.name} <${claimed.email}>,` : ''
  return {
    refusal: refusal({
      condition: 'UnknownSigner',
      commit,
      message: `commit ${short(commit)}${says} may not become policy: ${why}. ${AMEND}`,
    }),
  }
}
