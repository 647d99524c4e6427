/** `vouchsafe policy init`: a working, signed policy repository, the keys of its signers, and what to do with both. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { basename, relative, resolve, sep } from 'node:path'
import { trustDigest } from '../policy/policy-digest.ts'
import {
  type SampleCommit,
  type SampleKey,
  sampleCommits,
} from '../policy/sample/sample-commits.ts'
import { principalMistake } from '../policy/signatures/principal.ts'
import { YES } from './answering.ts'
import { Mistake, onePath, parseArguments } from './arguments.ts'
import type { Files } from './files.ts'
import type { PolicyDeps } from './policy-deps.ts'
import { printable } from './text.ts'

const options = {
  repository: { type: 'string' },
  signer: { type: 'string', multiple: true },
  keys: { type: 'string' },
  heartbeat: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe policy init DIRECTORY: make a working, signed policy repository

  DIRECTORY              empty or not there yet
  --repository NAME      its name in every approval (default: the folder's, with chance added)
  --signer NAME          who may change it; repeatable (default: alice and bob). Where there are two or more, changes to
                         trust/, rules/ and agents/prod/, and whatever leaves revoked/, need two of them
  --keys DIRECTORY       where their private keys are written (default: DIRECTORY-keys)
  --heartbeat            ask for a heartbeat, signed with a key of its own
  --json                 print {path, repository, branch, commit, trustDigest, keys, signers}

The keys are Ed25519 in OpenSSH's format, without a passphrase: for trying. In earnest everyone brings his own public key,
and no machine holds two private ones. Exits 0 (made) or 1 (could not).

Example:
  vouchsafe policy init policy && cd policy && vouchsafe policy verify --repository .
`

const AGENT = 'invoice-bot'
const HEARTBEAT = 'heartbeat'
const BRANCH = 'main'
/** No evidence has it: it stands for what `vouchsafe measure` prints. */
const NO_MEASUREMENT = '0'.repeat(96)
const NO_DIGEST = `sha256:${'0'.repeat(64)}`
/** A service that is set up later than that begins at a commit. */
const APPROVED_DAYS = 365

export async function initPolicy(args: readonly string[], deps: PolicyDeps): Promise<number> {
  const { values, positionals } = parseArguments('policy init', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const path = resolve(onePath('policy init', 'DIRECTORY', positionals))
  const repository = repositoryName(values.repository, path)
  const signers = signersOf(values.signer ?? ['alice', 'bob'])
  const heartbeat = values.heartbeat ? newKey(HEARTBEAT) : undefined
  const keys = keysOutside(path, values.keys)
  const everyone = [...signers, ...(heartbeat ? [heartbeat] : [])] as const
  await refuseUsed(deps.files, path, () => true)
  await refuseUsed(deps.files, keys, (name) => everyone.some(({ principal }) => principal === name))

  const at = deps.now()
  const commits = sampleCommits({
    repository,
    agent: AGENT,
    signers,
    heartbeat,
    measurement: NO_MEASUREMENT,
    launchConfig: { image: NO_DIGEST, model: NO_DIGEST },
    at,
    approvedUntil: new Date(at.getTime() + APPROVED_DAYS * 24 * 3600_000),
  })
  const { commit } = await deps.makeRepository({
    path,
    branch: BRANCH,
    keysDirectory: keys,
    commits,
    signers: everyone,
  })
  const made = {
    path,
    repository,
    branch: BRANCH,
    commit,
    trustDigest: trustDigestOf(commits),
    keys,
    signers: everyone.map(({ principal }) => principal),
  }
  deps.out(values.json ? `${JSON.stringify(made)}\n` : madeText(made))
  return YES
}

/** Private keys beside the public content would be pushed with it one day. */
function keysOutside(path: string, given: string | undefined): string {
  const keys = resolve(given ?? `${path}-keys`)
  const inside = relative(path, keys)
  if (inside === '' || !(inside === '..' || inside.startsWith(`..${sep}`)))
    throw new Mistake(
      `--keys ${keys} lies within the repository ${path}: private keys would be committed with it.`,
      'Name a folder outside of the repository.',
    )
  return keys
}

/**
 * What a name in an approval must look like is the trust root's rule; this is its strictest common part. Two folders called
 * `policy` must not share one: what was approved for the one would count in the other.
 */
function repositoryName(given: string | undefined, path: string): string {
  const name = given ?? `${basename(path)}-${randomBytes(4).toString('hex')}`
  if (!/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/.test(name))
    throw new Mistake(
      `"${name}" cannot name a policy repository: it takes lower-case letters, digits, dots and hyphens.`,
      'Give another with --repository NAME.',
    )
  return name
}

function signersOf(names: readonly string[]): readonly [SampleKey, ...SampleKey[]] {
  for (const [index, name] of names.entries()) {
    const wrong = principalMistake(name)
    if (wrong !== undefined || name.toLowerCase() === HEARTBEAT)
      throw new Mistake(
        `--signer: ${wrong ?? `${name} is taken: the heartbeat's key has that name`}.`,
        'Choose another; it is also the name of a file.',
      )
    if (names.indexOf(name) !== index)
      throw new Mistake(`--signer ${name} was given twice.`, 'Name everyone once.')
  }
  const [first = 'alice', ...others] = names
  return [newKey(first), ...others.map(newKey)]
}

function newKey(principal: string): SampleKey {
  return { principal, privateKey: generateKeyPairSync('ed25519').privateKey }
}

async function refuseUsed(
  files: Files,
  folder: string,
  isTaken: (name: string) => boolean,
): Promise<void> {
  if (!(await files.isDirectory(folder))) return
  const taken = (await files.list(folder)).find(isTaken)
  if (taken !== undefined)
    throw new Mistake(
      `${folder} holds ${taken}, and nothing is overwritten.`,
      'Name a folder that is empty or not there yet.',
    )
}

function trustDigestOf(commits: readonly SampleCommit[]): string {
  const encoder = new TextEncoder()
  return trustDigest(
    commits.flatMap(({ files }) =>
      Object.entries(files).map(([path, text]) => ({ path, bytes: encoder.encode(text) })),
    ),
  )
}

interface Made {
  readonly path: string
  readonly repository: string
  readonly commit: string
  readonly trustDigest: string
  readonly keys: string
  readonly signers: readonly string[]
}

function madeText(made: Made): string {
  const { path, repository, commit, trustDigest: digest, keys, signers } = made
  return `${[
    `Made the policy repository ${repository}, signed and approved.`,
    '',
    `  folder        ${printable(path)}`,
    `  keys          ${printable(keys)}: ${signers.join(', ')}. Whoever holds two of them decides alone`,
    `  trust digest  ${digest}`,
    `  commit        ${commit}`,
    '',
    'Try:',
    `  cd ${shellWord(nearest(path))}`,
    '  vouchsafe policy verify --repository .',
    '  vouchsafe policy lint && vouchsafe policy test',
    '',
    'To let a service follow it:',
    `  VOUCHSAFE_POLICY=${shellWord(path)}`,
    `  VOUCHSAFE_POLICY_PIN=${digest}`,
    '',
    'README.md there says how to change it; docs/policy.md is the whole guide.',
  ].join('\n')}\n`
}

function nearest(path: string): string {
  const way = relative('', path)
  return way.startsWith('..') ? path : way || '.'
}

/** As a shell takes it back. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
