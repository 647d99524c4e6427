/** Where a tenant's policy comes from, what is trusted to begin with, and which OPA is asked besides. */
import { z } from 'zod'
import { asObject, type Given } from './given.ts'
import { type RepositoryKind, repository, repositoryKind } from './repository.ts'
import { settingNamed } from './settings.ts'
import { address, path, wholeNumber } from './values.ts'

/** What the operator vouches for: without it the first commit that anybody serves would be trusted. */
export type Pin =
  | { readonly kind: 'commit'; readonly commit: string }
  /** Over the files under trust/: `sha256:<hex>`. */
  | { readonly kind: 'trust-digest'; readonly digest: string }

const pin = z.string('must be a commit or a digest').transform((text, context): Pin => {
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return { kind: 'trust-digest', digest: text }
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return { kind: 'commit', commit: text }
  context.addIssue(
    'must be a full commit name (40 or 64 hex digits) or sha256: and 64 hex digits, in lower case; `vouchsafe policy init` and `vouchsafe policy pin --repository REPOSITORY` print it',
  )
  return z.NEVER
})

const branch = z
  .string('must be the name of a branch')
  .refine(isBranchName, 'must be the name of a branch, without refs/heads/')

const decisionPath = z
  .string('must be a path')
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]*(\/[A-Za-z_][A-Za-z0-9_]*){0,15}$/,
    'must be package and rule with slashes between, as in vouchsafe/allow',
  )

export const policySettings = z.strictObject(
  {
    repository,
    branch: branch.default('main'),
    pin,
    pollSeconds: wholeNumber('must be a number of seconds')
      .refine((seconds) => seconds >= 1 && seconds <= 3600, 'must be 1 to 3600')
      .default(30),
    tokenFile: path.exactOptional(),
    tokenUser: z
      .string('must be a name')
      .regex(/^[\x21-\x39\x3b-\x7e]{1,200}$/, 'must be a name without spaces or colons')
      .exactOptional(),
    authoritiesFile: path.exactOptional(),
    sshKeyFile: path.exactOptional(),
    knownHostsFile: path.exactOptional(),
    webhookSecretFile: path.exactOptional(),
    opaUrl: address.exactOptional(),
    opaPath: decisionPath.exactOptional(),
    opaTokenFile: path.exactOptional(),
  },
  'must be an object with repository and pin',
)

interface Companion {
  readonly member: string
  /** Undefined: the repository's address is wrong, so nothing can be said. */
  readonly belongs: (policy: Given) => boolean | undefined
  readonly to: string
  readonly isNeeded?: true
}

/** ssh is started without a home, an agent or anybody's configuration: it knows these two files and nothing else. */
const companions: readonly Companion[] = [
  { member: 'tokenFile', belongs: isReachedBy('http'), to: 'a repository over https' },
  { member: 'tokenUser', belongs: ({ tokenFile }) => tokenFile !== undefined, to: 'a tokenFile' },
  { member: 'authoritiesFile', belongs: isReachedBy('http'), to: 'a repository over https' },
  {
    member: 'sshKeyFile',
    belongs: isReachedBy('ssh'),
    to: 'a repository over ssh',
    isNeeded: true,
  },
  {
    member: 'knownHostsFile',
    belongs: isReachedBy('ssh'),
    to: 'a repository over ssh',
    isNeeded: true,
  },
  { member: 'opaPath', belongs: asksOpa, to: 'an opaUrl' },
  { member: 'opaTokenFile', belongs: asksOpa, to: 'an opaUrl' },
]

/** Settings that do not go together, judged on what was given, so that they are told beside whatever else is wrong. */
export function policyContradictions(given: unknown, at: string): readonly string[] {
  const policy = asObject(given)
  return companions.flatMap(({ member, belongs, to, isNeeded }) => {
    const isGiven = policy[member] !== undefined
    const named = settingNamed(`${at}${member}`)
    const does = belongs(policy)
    if (isGiven && does === false) return [`${named} is given, and belongs to ${to}, which is not`]
    return !isGiven && does && isNeeded ? [`${named} is missing, which ${to} needs`] : []
  })
}

function isReachedBy(kind: RepositoryKind): Companion['belongs'] {
  return ({ repository: text }) => {
    const actual = typeof text === 'string' ? repositoryKind(text) : undefined
    return actual && actual === kind
  }
}

function asksOpa({ opaUrl }: Given): boolean {
  return opaUrl !== undefined
}

/** The rules of `git check-ref-format` for what people type. */
function isBranchName(text: string): boolean {
  return (
    text.length <= 200 &&
    /^[A-Za-z0-9_][A-Za-z0-9_.+/-]*$/.test(text) &&
    !text.startsWith('refs/') &&
    text
      .split('/')
      .every(
        (part) =>
          part !== '' &&
          !part.startsWith('.') &&
          !part.endsWith('.') &&
          !part.includes('..') &&
          !part.endsWith('.lock'),
      )
  )
}
