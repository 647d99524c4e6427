/** `vouchsafe keys list`: which keys sign, which are to, and which did. */
import { type KeysReport, keysResponse } from '../service/key-report.ts'
import { REFUSED, YES } from './answering.ts'
import { noPath, parseArguments } from './arguments.ts'
import { accessHelp, accessOf, accessOptions, askKeys } from './keys-access.ts'
import type { KeysDeps } from './keys-deps.ts'
import { coloured, type Paint, plain, printable, type Tone } from './text.ts'

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...accessOptions,
} as const

const help = `vouchsafe keys list: the service's own keys, and what each of them is doing

${accessHelp}
  --json                 {keys: [{kid, purpose, algorithm, state, createdAt, activeFrom, retiresAt, revokedAt, sealedUnder}]}

Exits 0, 2 (something has no key to sign with) or 1 (could not tell).

Example:
  vouchsafe keys list --url https://attest.example.com --token-file token
`

export async function listKeysVerb(args: readonly string[], deps: KeysDeps): Promise<number> {
  const { values, positionals } = parseArguments('keys list', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  noPath('keys list', positionals, 'Leave it out.')
  const report = await askKeys(
    {
      question: { method: 'GET', path: '/v1/keys' },
      schema: keysResponse,
      stored: (keys) => keys.list(),
    },
    accessOf(values),
    deps,
  )
  const groups = [...Map.groupBy(report.keys, ({ purpose }) => purpose)]
  deps.out(
    values.json
      ? `${JSON.stringify(report)}\n`
      : groups.length === 0
        ? 'There are no keys yet: the service makes them at its first start.\n'
        : [
            ...groups.map((group) => groupText(group, deps.colour ? coloured : plain)),
            ...underText(report),
          ].join('\n'),
  )
  return groups.every(([, keys]) => keys.some(({ state }) => state === 'active')) ? YES : REFUSED
}

type Key = KeysReport['keys'][number]

/** Nothing, as long as all are under the same one. */
function underText({ keys }: KeysReport): readonly string[] {
  const under = Map.groupBy(keys, ({ sealedUnder }) => sealedUnder ?? 'none that is known here')
  if (under.size < 2) return []
  return [
    `Sealed under the key-encryption keys ${[...under].map(([id, some]) => `${printable(id)} (${some.length})`).join(', ')}: \`vouchsafe keys rewrap\` puts all under the present one.\n`,
  ]
}

const tones: Readonly<Record<Key['state'], Tone>> = {
  active: 'good',
  next: 'good',
  retired: 'faint',
  over: 'faint',
  revoked: 'bad',
}

function groupText([purpose, keys]: readonly [string, readonly Key[]], paint: Paint): string {
  const [{ algorithm } = { algorithm: '' }] = keys
  return `${[
    `${printable(purpose)} (${printable(algorithm)})`,
    ...keys.map(
      (key) =>
        `  ${paint(tones[key.state], key.state.padEnd(8))} ${printable(key.kid).padEnd(43)}  ${saysOf(key)}`,
    ),
    ...(keys.some(({ state }) => state === 'active')
      ? []
      : [`  ${paint('bad', 'none')}     signs: \`vouchsafe keys rotate\` makes one`]),
  ].join('\n')}\n`
}

function saysOf({ state, activeFrom, retiresAt, revokedAt }: Key): string {
  switch (state) {
    case 'next':
      return `published, signs from ${activeFrom}`
    case 'active':
      return retiresAt === null
        ? `signs since ${activeFrom}`
        : `signs since ${activeFrom}, until ${retiresAt}`
    case 'retired':
      return `signed until ${retiresAt}, published for 24 hours from then`
    case 'over':
      return `signed until ${retiresAt}, published until it is forgotten`
    case 'revoked':
      return `revoked at ${revokedAt}: nothing that it signed is good`
  }
}
