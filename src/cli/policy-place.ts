/** Which repository, and which branch of it? Throws Mistake for what Git would read in another way than it looks. */
import { repositoryKind } from '../config/repository.ts'
import { Mistake, noPath } from './arguments.ts'
import type { RepositoryPlace } from './policy-deps.ts'

interface Given {
  readonly repository?: string | undefined
  readonly branch?: string | undefined
}

export function placeOf(
  command: string,
  { repository = '.', branch }: Given,
  positionals: readonly string[],
): RepositoryPlace {
  noPath(
    command,
    positionals,
    `Name the repository with --repository; see \`vouchsafe ${command} --help\`.`,
  )
  if (repositoryKind(repository) === undefined)
    throw new Mistake(
      `--repository ${repository} is neither a path nor an address that is taken.`,
      'Give a path, or a file://, https:// or ssh:// address, without password, query or fragment.',
    )
  // It becomes part of a ref's name, and an argument of git.
  if (branch !== undefined && (!/^[\w][\w.+/-]{0,199}$/.test(branch) || branch.includes('..')))
    throw new Mistake(
      `--branch ${branch} is no name of a branch.`,
      'Write it without refs/heads/, as in main.',
    )
  return { repository, branch }
}
