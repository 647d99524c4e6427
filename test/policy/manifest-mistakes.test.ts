/** Every way in which an AgentRelease manifest is wrong, with file, line and column. */
import { describe, expect, test } from 'vitest'
import { altered, config, mistakes, valid } from './manifests.ts'

const measurement = `measurement: sha384:${'a1'.repeat(48)}`
const tuple = `      tee: sev-snp\n      ${measurement}`
const hex = (size: number, octet = 'bb') => octet.repeat(size)

describe('a mistake is named with its place', () => {
  const cases: readonly [what: string, from: string, to: string, says: string][] = [
    ['another api version', 'v1alpha1', 'v2', '1:13 apiVersion'],
    ['another kind', 'AgentRelease', 'Pod', '2:7 kind'],
    ['an unknown key', '  version', '  owner: me\n  version', '5:3 metadata.owner is not a known'],
    [
      'an unknown expectation',
      measurement,
      `${measurement}\n      measurment: x`,
      '14:7 spec.referenceValues[0].measurment is not a known field',
    ],
    ['a missing field', '  generation: 42\n', '', '4:3 metadata.generation is missing'],
    ['a name other than the file’s', 'name: invoice-bot', 'name: other', '4:9 metadata.name'],
    ['a foreign environment', '  version', '  environment: dev\n  version', 'must be prod'],
    ['a version that YAML takes for a number', '"1.8.0"', '18', '5:12 metadata.version: must be'],
    ['generation 0', 'generation: 42', 'generation: 0', '6:15 metadata.generation'],
    ['a generation in quotes', 'generation: 42', 'generation: "42"', '6:15 metadata.generation'],
    ['a day that is none', '2026-01-01T', '2026-02-30T', 'is not in the calendar'],
    ['a local time', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00+01:00', 'in UTC'],
    ['an end before the start', '2027-01-01', '2025-01-01', '8:13 metadata.notAfter'],
    ['an unknown TEE', 'tee: sev-snp', 'tee: sgx2', 'tee must be sev-snp, tdx, sgx or sample'],
    ['a digest without its algorithm', 'sha384:', '', 'must be sha384: followed by 96'],
    ['a digest of another algorithm', 'sha384:a1', 'sha256:a1', 'must be sha384: followed by 96'],
    ['a digest one digit short', 'sha384:a1', 'sha384:a', '13:20 spec.referenceValues[0].meas'],
    ['a digest in capitals', 'sha384:a1', 'sha384:A1', 'lower-case hex'],
    ['a tuple without measurement', `      ${measurement}\n`, '', 'measurement is missing'],
    ['an empty allowlist', measurement, `${measurement}\n      chipIds: []`, 'leave it out'],
    ['a VMPL that does not exist', measurement, `${measurement}\n      vmpl: 4`, '14:13'],
    [
      'report data, which the binding sets',
      measurement,
      `${measurement}\n      reportData: hex:00`,
      'reportData is not a known field',
    ],
    [
      'a value outside its mask',
      tuple,
      `      tee: sgx\n      mrEnclave: sha256:${hex(32)}\n      attributes: {mask: hex:${hex(16, '00')}, value: hex:${hex(16)}}`,
      'its mask leaves out',
    ],
    [
      'a signer alone',
      tuple,
      `      tee: sgx\n      mrSigner: sha256:${hex(32)}`,
      'a signer alone approves all',
    ],
    [
      'a revoked TCB',
      tuple,
      `      tee: sgx\n      mrEnclave: sha256:${hex(32)}\n      tcbStatuses: [Revoked]`,
      'tcbStatuses[0]',
    ],
    ['a token of an hour', '300s', '3600s', 'must be at most 15m'],
    [
      'a bearer token of six minutes',
      'ttl: 300s',
      'ttl: 6m\n      token: federation',
      '16:12 spec.release[0].ttl: must be at most 300s for a federation token',
    ],
    ['a token of an unknown form', 'ttl: 300s', 'ttl: 300s\n      token: bearer', 'token'],
    ['a token of no time', '300s', '0s', 'must be whole seconds'],
    ['a time to live in bare numbers', 'ttl: 300s', 'ttl: 300', '16:12 spec.release[0].ttl'],
    ['a token of a day', '300s', '1d', 'must be at most 15m'],
    [
      'scopes that would not fit into a header',
      'ttl: 300s',
      `ttl: 300s\n      scopes: [${Array.from({ length: 9 }, (_, n) => `"secret:${'x'.repeat(110)}${n}"`)}]`,
      'at most 1024 characters together',
    ],
    ['a scope without kind', 'ttl: 300s', 'ttl: 300s\n      scopes: [db]', 'such as secret:db-ro'],
    [
      'an artifact of an unknown kind',
      '  release:',
      `  artifacts:\n    - {name: a, kind: binary, digest: "sha256:${hex(32)}"}\n  release:`,
      '15:23 spec.artifacts[0].kind',
    ],
    [
      'two artifacts of one name',
      '  release:',
      `  artifacts:\n    - {name: a, kind: image, digest: "sha256:${hex(32)}"}\n    - {name: a, kind: sbom, digest: "sha256:${hex(32)}"}\n  release:`,
      '16:14 spec.artifacts[1].name: a appears twice',
    ],
    [
      'a model without version',
      '  release:',
      `  models: [{name: a, digest: "sha256:${hex(32)}"}]\n  release:`,
      'spec.models[0].version is missing',
    ],
    [
      'an attestation every second',
      '  release:',
      '  runtime: {attestEvery: 1s}\n  release:',
      'must be at least 5s',
    ],
    [
      'egress to a pattern',
      '  release:',
      '  runtime: {egress: [{host: "*.example", ports: [443]}]}\n  release:',
      'must be a host name',
    ],
    [
      'egress to port 0',
      '  release:',
      '  runtime: {egress: [{host: a.example, ports: [0]}]}\n  release:',
      'spec.runtime.egress[0].ports[0]',
    ],
    [
      'a limit that does not exist',
      '  release:',
      '  runtime: {budget: {watts: 1}}\n  release:',
      'spec.runtime.budget.watts is not a known field',
    ],
    [
      'a heartbeat every second',
      '  release:',
      '  runtime: {heartbeatEvery: 1s}\n  release:',
      'spec.runtime.heartbeatEvery: must be at least 2s',
    ],
    [
      'a heartbeat every two minutes',
      '  release:',
      '  runtime: {heartbeatEvery: 2m}\n  release:',
      'must be at most 60s',
    ],
    [
      'something to watch that nobody can',
      '  release:',
      '  runtime: {watch: [files, thoughts]}\n  release:',
      'spec.runtime.watch[1]',
    ],
    [
      'a model among the measurements',
      '  release:',
      `  runtime: {measurements: [{kind: model, digest: "sha256:${hex(32)}"}]}\n  release:`,
      'spec.runtime.measurements[0].kind',
    ],
    [
      'a measurement at a path that turns text around',
      '  release:',
      `  runtime: {measurements: [{kind: code, path: "/\\u202e", digest: "sha256:${hex(32)}"}]}\n  release:`,
      'must be a path without control characters',
    ],
    [
      'state that is neither known nor free',
      '  release:',
      '  runtime: {state: [{path: /a}]}\n  release:',
      'spec.runtime.state[0]: must have either digests or any: true',
    ],
    [
      'state that is both',
      '  release:',
      `  runtime: {state: [{path: /a, any: true, reason: r, digests: ["sha256:${hex(32)}"]}]}\n  release:`,
      'must have either digests or any: true',
    ],
    [
      'free state without a reason',
      '  release:',
      '  runtime: {state: [{path: /a, any: true}]}\n  release:',
      'spec.runtime.state[0].reason',
    ],
    [
      'a pattern in the middle of a path',
      '  release:',
      '  runtime: {state: [{path: /a/*/b, any: true, reason: r}]}\n  release:',
      'must be a path, or a folder followed by /**',
    ],
    [
      'a collector by name',
      '  release:',
      '  runtime: {collectors: [ours]}\n  release:',
      'spec.runtime.collectors[0]',
    ],
    [
      'the same list twice',
      '  release:',
      `  runtime: {lists: ["sha256:${hex(32)}", "sha256:${hex(32)}"]}\n  release:`,
      'appears twice',
    ],
    [
      'a list that is not in the commit',
      '  release:',
      `  runtime: {lists: ["sha256:${hex(32)}"]}\n  release:`,
      'spec.runtime.lists[0]: there is no file measurements/',
    ],
    [
      'a system call with its arguments',
      '  release:',
      '  runtime: {sensitiveCalls: ["ptrace(0)"]}\n  release:',
      'spec.runtime.sensitiveCalls[0]',
    ],
    [
      'a register that the agent itself extends, as a reference value',
      tuple,
      `      tee: tdx\n      mrTd: sha384:${hex(48)}\n      rtmr0: sha384:${hex(48)}\n      rtmr1: sha384:${hex(48)}\n      rtmr2: sha384:${hex(48)}\n      rtmr3: sha384:${hex(48)}\n      tdAttributes: {mask: hex:${hex(8, 'ff')}, value: hex:${hex(8, '00')}}\n  runtime: {watch: [rtmr3]}`,
      'spec.referenceValues[0].rtmr3: is what spec.runtime.watch has',
    ],
    [
      'a configuration that is not in the commit',
      '  release:',
      '  runtimeConfig: config/other.json\n  release:',
      '14:18 spec.runtimeConfig: there is no file config/other.json',
    ],
    [
      'a configuration outside the repository',
      '  release:',
      '  runtimeConfig: ../etc/passwd\n  release:',
      'must be the path of a file',
    ],
    [
      'host data that is another configuration’s',
      `      ${measurement}\n`,
      `      ${measurement}\n      hostData: sha256:${hex(32)}\n  runtimeConfig: ${config.path}\n`,
      `14:17 spec.referenceValues[0].hostData: is not the digest of ${config.path}; put sha256:`,
    ],
    [
      'MRCONFIGID that is another configuration’s',
      '  release:',
      `    - {id: t, tee: tdx, mrTd: "sha384:${hex(48)}", rtmr0: "sha384:${hex(48)}", rtmr1: "sha384:${hex(48)}", rtmr2: "sha384:${hex(48)}", mrConfigId: "sha384:${hex(48)}"}\n  runtimeConfig: ${config.path}\n  release:`,
      'spec.referenceValues[1].mrConfigId: is not the digest',
    ],
    [
      'CONFIGID that is another configuration’s',
      '  release:',
      `    - {id: s, tee: sgx, mrEnclave: "sha256:${hex(32)}", configId: "hex:${hex(64)}"}\n  runtimeConfig: ${config.path}\n  release:`,
      'spec.referenceValues[1].configId: is not the digest',
    ],
    ['no release rule', '    - audience: kms.example\n      ttl: 300s', '    []', 'spec.release'],
    [
      'an audience twice',
      '      ttl: 300s',
      '      ttl: 300s\n    - {audience: kms.example, ttl: 60s}',
      '17:18 spec.release[1].audience: kms.example appears twice',
    ],
    [
      'an id twice',
      '  release:',
      `    - {id: milan-4vcpu, tee: sev-snp, ${measurement}}\n  release:`,
      'milan-4vcpu appears twice',
    ],
    [
      'a waiver of what may not be waived',
      '  release:',
      '  waivers:\n    - {check: snp.signature.valid, reason: x}\n  release:',
      '15:15 spec.waivers[0].check: snp.signature.valid is no check that may be waived',
    ],
    [
      'a waiver without a reason',
      '  release:',
      '  waivers:\n    - {check: revocation}\n  release:',
      'spec.waivers[0].reason is missing',
    ],
  ]
  test.each(cases)('%s', (_, from, to, says) => {
    const said = mistakes(altered(from, to))
    expect(said.join('\n')).toContain(says)
  })

  test('all of them at once', () =>
    expect(
      mistakes(valid.replace('"1.8.0"', '1').replace('300s', '1h').replace('Agent', 'A')),
    ).toHaveLength(3))

  test.each(['', '[]', 'null', '"x"', '- a'])('a file that holds %j', (text) =>
    expect(mistakes(text)).toHaveLength(1),
  )

  test.each([
    'agents/prod/invoice-bot.yml',
    'agents/invoice-bot.yaml',
    'agents/prod/eu/invoice-bot.yaml',
    'agents/prod/.yaml',
    'agents/../invoice-bot.yaml',
    'agents/PROD/invoice-bot.yaml',
    'agents/prod/invoice_bot.yaml',
    'agents/prod/README.md',
  ])('a manifest at %s', (path) =>
    expect(mistakes(valid, path).join()).toContain('agents/<environment>/<agent>.yaml'),
  )
})
