/** The page that says how checks become AR4SI claims: made by asking the code that does it. */
import { releaseChecks } from '../src/policy/release-checks.ts'
import { revocationChecks } from '../src/policy/revocation-checks.ts'
import { bindingChecks } from '../src/rats/binding.ts'
import type { Outcome } from '../src/rats/check.ts'
import { type Claim, claimNames } from '../src/rats/claim.ts'
import type { AnyTee } from '../src/rats/tee.ts'
import { type Assurance, statusOf, trustVector } from '../src/rats/trust-vector.ts'

export function trustVectorMarkdown(tees: readonly AnyTee[]): string {
  return `${[
    '# Trust vector',
    '',
    'Printed from the code by `npm run docs`. Every check informs one trustworthiness claim of AR4SI (draft-ietf-rats-ar4si, section',
    '2.3), and every claim is as good as the worst outcome of what informs it. A claim that nothing informs is left out: nobody',
    'appraised it. The status of the whole is that of its worst claim.',
    '',
    '| Claim | All passed | One waived | One failed or not reached | Not authentic | Simulated, all passed |',
    '|---|---|---|---|---|---|',
    ...claimNames.map(
      (claim) =>
        `| ${[
          `\`${claim}\``,
          told(claim, 'pass', 'hardware'),
          told(claim, 'waived', 'hardware'),
          told(claim, 'fail', 'hardware'),
          told(claim, 'fail', undefined),
          told(claim, 'pass', 'simulated'),
        ].join(' | ')} |`,
    ),
    '',
    'A check that does not apply counts neither way. A rule of the operator that only warns counts as waived. Whatever is waived',
    'caps its claim, and so the whole, at a warning. Evidence under a simulated root is contraindicated whatever its checks say.',
    '',
    '## Who informs what',
    '',
    '| Claim | Checks |',
    '|---|---|',
    ...claimNames.map((claim) => `| \`${claim}\` | ${informants(tees, claim)} |`),
  ].join('\n')}\n`
}

function told(claim: Claim, outcome: Outcome, assurance: Assurance | undefined): string {
  const finding = { id: 'some.check', cites: '', informs: claim, outcome }
  const vector = trustVector({ findings: [finding], assurance })
  const tier = vector[claim]
  return tier === undefined ? '' : `${tier} (${statusOf({ [claim]: tier })})`
}

function informants(tees: readonly AnyTee[], claim: Claim): string {
  const all = [
    ...tees.flatMap((tee) => [...tee.structure, ...tee.authenticate, ...tee.appraise]),
    ...bindingChecks,
    ...releaseChecks,
    ...revocationChecks,
  ]
  const ids = all.flatMap(({ id, informs }) => (informs === claim ? [`\`${id}\``] : []))
  const rules = claim === 'configuration' ? ['`rule.<id>`', '`policy.remote.allows`'] : []
  return [...new Set([...ids, ...rules])].join(', ') || 'none yet: nothing appraises it'
}
