/** `vouchsafe keys rotate` and `revoke`: successors by the calendar or at will, and the end of a key that somebody else may have. */
import { revokedResponse, rotatedResponse } from '../service/key-report.ts'
import { YES } from './answering.ts'
import { noPath, onePath, parseArguments } from './arguments.ts'
import { accessHelp, accessOf, accessOptions, askKeys } from './keys-access.ts'
import type { KeysDeps } from './keys-deps.ts'
import { printable } from './text.ts'

const rotateOptions = {
  purpose: { type: 'string', multiple: true },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...accessOptions,
} as const

const rotateHelp = `vouchsafe keys rotate: make a successor for every key that has none yet

The successor is published at once, signs 15 minutes later, and what it replaces is published for 24 hours more: nobody
who checks tokens has to do anything. The service does this by itself every VOUCHSAFE_KEY_ROTATION_DAYS. The key of the
transparency log stays: it is the name of the log.

  --purpose PURPOSE      only this one, as \`vouchsafe keys list\` names it; may be given several times
${accessHelp}
  --json                 {successors: [{purpose, kid, activeFrom}], next}

Exits 0 or 1 (could not tell). Asked twice, it answers the same.

Example:
  vouchsafe keys rotate --url https://attest.example.com --token-file token
`

export async function rotateKeysVerb(args: readonly string[], deps: KeysDeps): Promise<number> {
  const { values, positionals } = parseArguments('keys rotate', args, rotateOptions)
  if (values.help) {
    deps.out(rotateHelp)
    return YES
  }
  noPath(
    'keys rotate',
    positionals,
    'Name what to rotate with --purpose, as `vouchsafe keys list` names it.',
  )
  const purposes = values.purpose
  const report = await askKeys(
    {
      question: {
        method: 'POST',
        path: '/v1/keys/rotate',
        body: purposes === undefined ? {} : { purposes },
      },
      schema: rotatedResponse,
      stored: (keys) => keys.rotate(purposes),
    },
    accessOf(values),
    deps,
  )
  deps.out(
    values.json
      ? `${JSON.stringify(report)}\n`
      : `${[
          ...report.successors.map(
            ({ purpose, kid, activeFrom }) =>
              `${printable(purpose)}: ${printable(kid)} signs from ${activeFrom}`,
          ),
          printable(report.next),
        ].join('\n')}\n`,
  )
  return YES
}

const revokeOptions = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...accessOptions,
} as const

const revokeHelp = `vouchsafe keys revoke KID: end a key at once

For a key that somebody else may have. It is published no more, nothing that it signed is good any more, and where it was
the one that signs, another is made that signs at once. Relying parties that keep the keys that they fetched go by it for
up to 300 s more.

${accessHelp}
  --json                 {purpose, kid, revokedAt, replacement: {purpose, kid, activeFrom} or null, next}

Exits 0 or 1 (could not tell, or there is no such key).

Example:
  vouchsafe keys revoke 0dKX… --url https://attest.example.com --token-file token
`

export async function revokeKeyVerb(args: readonly string[], deps: KeysDeps): Promise<number> {
  const { values, positionals } = parseArguments('keys revoke', args, revokeOptions)
  if (values.help) {
    deps.out(revokeHelp)
    return YES
  }
  const kid = onePath('keys revoke', 'KID', positionals)
  const report = await askKeys(
    {
      question: { method: 'POST', path: '/v1/keys/revoke', body: { kid } },
      schema: revokedResponse,
      stored: (keys) => keys.revoke(kid),
    },
    accessOf(values),
    deps,
  )
  const { purpose, revokedAt, replacement, next } = report
  deps.out(
    values.json
      ? `${JSON.stringify(report)}\n`
      : `${[
          `${printable(purpose)}: ${printable(kid)} was revoked at ${revokedAt}`,
          replacement
            ? `${printable(replacement.kid)} signs from now on`
            : 'It did not sign, so that nothing else had to take its place',
          printable(next),
        ].join('\n')}\n`,
  )
  return YES
}
