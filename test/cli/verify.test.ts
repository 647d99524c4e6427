/** Does `vouchsafe verify` keep the contract of its command line: what it takes, what it prints, how it ends? */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { toHex } from '../../src/bytes/encoding.ts'
import { anchorSet } from '../../src/pki/anchor.ts'
import { asHardware, pem, type Tree, vector, vectorText, verifying } from './command.ts'

const good = vector('sev-snp/milan-v3-good')
const debug = vector('sev-snp/policy-debug')
const td = vector('tdx/td15-v5-good')
const [vcek = new Uint8Array(), ask = new Uint8Array()] = good.parts.certificates
const [crl = new Uint8Array()] = good.parts.crls
const anchors = asHardware(good)
const padded = Buffer.concat([td.evidence.quote, Buffer.alloc(70)])

const files: Tree = {
  'report.bin': good.evidence.quote,
  'debug.bin': debug.evidence.quote,
  'debug/vcek.der': debug.parts.certificates[0] ?? new Uint8Array(),
  'ends/vcek.der': vcek,
  'ends/deeper/chain.pem': `the chain\n${pem('CERTIFICATE', ask)}${pem('X509 CRL', crl)}`,
  'ends/.DS_Store': 'what some desktops leave behind',
  'vcek.der': vcek,
  'ask.der': ask,
  'crl.der': crl,
  'both.pem': `${pem('CERTIFICATE', vcek)}${pem('CERTIFICATE', ask)}`,
  'quote.bin': td.evidence.quote,
  'padded.bin': padded,
  'tsm/outblob': good.evidence.quote,
  'tsm/provider': 'sev_guest\n',
  'tsm/auxblob': '',
  'tsm/generation': '1\n',
  'tdx-as-snp/outblob': td.evidence.quote,
  'tdx-as-snp/provider': 'sev_guest\n',
  'unknown-provider/outblob': good.evidence.quote,
  'unknown-provider/provider': 'arm_cca_guest\n',
  'not-tsm/report.bin': good.evidence.quote,
  'good.vector': vectorText('sev-snp/milan-v3-good'),
  'bad.vector': vectorText('sev-snp/policy-debug'),
  'aws.vector': vectorText('sev-snp/aws-profile-good'),
  'broken.vector': 'tee: sev-snp\n',
  'foreign.vector': vectorText('sev-snp/milan-v3-good').replace('tee: sev-snp', 'tee: arm-cca'),
  'empty.bin': '',
  'report.hex': toHex(good.evidence.quote),
  'report.b64': Buffer.from(good.evidence.quote).toString('base64'),
  'report.json': '{"report": "AgAA"}',
  'noise.bin': Buffer.from('f0e1d2c3b4a5968778', 'hex'),
  'short.bin': good.evidence.quote.slice(0, 100),
  'bad-ends/vcek.der': vcek,
  'bad-ends/notes.txt': 'the VCEK of machine 7',
  'log.ccel': new Uint8Array(32),
  ...Object.fromEntries(Array.from({ length: 600 }, (_, index) => [`many/${index}.der`, vcek])),
  'one/two/three/four/five/six.der': vcek,
}

const run = (...args: string[]) => verifying(files, args, { anchors })
const ends = ['--endorsements', 'ends']

const Result = z.strictObject({
  tee: z.string(),
  status: z.string(),
  trustVector: z.record(z.string(), z.number()),
  findings: z.array(
    z.strictObject({
      id: z.string(),
      outcome: z.string(),
      detail: z.string().nullable(),
      observed: z.json(),
      expected: z.json(),
      cites: z.string(),
      informs: z.string(),
    }),
  ),
  claims: z.looseObject({}),
})
const result = (out: string) => Result.parse(JSON.parse(out))
const Failure = z.strictObject({
  error: z.strictObject({
    code: z.string(),
    detail: z.string().min(10),
    next: z.string().min(10),
  }),
})

describe('ends with', () => {
  it('0 for evidence that affirms', async () => {
    const { code, out, err } = await run('report.bin', ...ends)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^AFFIRMING sev-snp\n/)
  })

  it('2 for evidence that is refused, naming the check, both sides and its source', async () => {
    const { code, out } = await run('debug.bin', ...ends, '--endorsements', 'debug')
    expect(code).toBe(2)
    expect(out).toMatch(/^REFUSED sev-snp by snp\.policy\.debug-off\n/)
    expect(out).toMatch(
      /\nfail +snp\.policy\.debug-off\n +the guest policy allows debugging.*\n +observed +true\n +expected +false\n +cites +AMD 56860 .*\n/,
    )
    expect(out).toMatch(
      /\n\d+ checks: \d+ passed, 1 failed, 0 waived, \d+ not applicable, 0 not reached\n/,
    )
    expect(out).toMatch(/\nNext: the evidence is authentic/)
  })

  it('0 for a warning, and 2 under --strict', async () => {
    const args = ['report.bin', '--endorsements', 'both.pem', '--waive', 'revocation=none at hand']
    const lenient = await run(...args)
    expect(lenient.code).toBe(0)
    expect(lenient.out).toMatch(/^WARNING sev-snp: 1 check waived \(snp\.crl\.current\)\n/)
    expect(lenient.out).toMatch(
      /\nwaived +snp\.crl\.current\n +waived \(none at hand\): revocation/,
    )
    const strict = await run(...args, '--strict')
    expect(strict.code).toBe(2)
    expect(strict.out).toMatch(/which --strict refuses/)
  })

  it('0 for help, with examples', async () => {
    const { code, out } = await run('--help')
    expect(code).toBe(0)
    expect(out).toMatch(/Examples:\n {2}vouchsafe verify report\.bin/)
  })
})

describe('takes', () => {
  it.each<[string, readonly string[]]>([
    [
      'a folder of endorsements, PEM with text and DER, hidden files passed over',
      ['report.bin', ...ends],
    ],
    [
      'files one by one',
      [
        'report.bin',
        ...['vcek', 'ask', 'crl'].flatMap((name) => ['--endorsements', `${name}.der`]),
      ],
    ],
    ['a TSM directory', ['tsm', ...ends]],
    ['a vector as a container', ['good.vector']],
    ['an instant with an offset', ['report.bin', ...ends, '--at', '2026-06-01T12:00:00.5+02:00']],
    [
      'an expectation in any spelling',
      ['report.bin', ...ends, '--expect', `HOST_DATA=${hostData().toUpperCase()}`],
    ],
    ['an expectation with hyphens', ['report.bin', ...ends, '--expect', `host-data=${hostData()}`]],
    ['a profile', ['report.bin', ...ends, '--profile', 'strict']],
    ['a waiver with equals signs in its reason', ['report.bin', ...ends, '--waive', 'tcb=a=b']],
  ])('%s', async (_, args) => {
    const { code, out } = await run(...args)
    expect(out).toMatch(/^AFFIRMING/)
    expect(code).toBe(0)
  })

  it('a quote with zero padding after its end', async () => {
    const { out } = await run('padded.bin', '--json')
    expect(result(out).findings.find(({ outcome }) => outcome === 'fail')?.id).not.toMatch(
      /^dcap\.quote/,
    )
  })

  it('the instant of now when none is given', async () => {
    const args = ['report.bin', ...ends]
    const late = await verifying(files, args, { anchors, now: () => new Date('2034-01-01') })
    expect(late.out).toMatch(/^REFUSED sev-snp by snp\.chain\.validity/)
  })

  it('a profile, and its reason shows', async () => {
    const { evidence, parts } = vector('sev-snp/aws-profile-good')
    const aws = {
      ...files,
      'aws.bin': evidence.quote,
      'aws.pem': parts.certificates.map((der) => pem('CERTIFICATE', der)).join('\n'),
    }
    const args = ['aws.bin', '--endorsements', 'crl.der', '--endorsements', 'aws.pem']
    const refused = await verifying(aws, args, { anchors })
    expect(refused.code).toBe(2)
    expect(refused.out).toMatch(/Next: if it runs on that cloud, --profile aws waives this/)
    const waived = await verifying(aws, [...args, '--profile', 'aws'], { anchors })
    expect(waived.code).toBe(0)
    expect(waived.out).toMatch(/waived \(EC2 .*\): the report was requested at VMPL/)
  })

  it('a waiver of its own over the profile’s', async () => {
    const { out } = await verifying(
      { ...files, 'aws.vector': vectorText('sev-snp/aws-profile-good') },
      ['aws.vector', '--profile', 'aws', '--waive', 'snp.vmpl.expected=I know it'],
      { anchors },
    )
    expect(out).toMatch(/waived \(I know it\): the report was requested/)
  })
})

describe('refuses', () => {
  it('an expectation that is not met, with both values', async () => {
    const { code, out } = await run(
      'report.bin',
      ...ends,
      '--expect',
      `hostData=${'00'.repeat(32)}`,
      '--json',
    )
    expect(code).toBe(2)
    expect(result(out).findings.find(({ id }) => id === 'snp.host-data.expected')).toMatchObject({
      outcome: 'fail',
      observed: hostData(),
      expected: '00'.repeat(32),
    })
  })

  it('everything when no root is trusted', async () => {
    const { code, out } = await verifying(files, ['report.bin', ...ends], {
      anchors: anchorSet([]),
    })
    expect({ code, out }).toEqual({
      code: 2,
      out: expect.stringMatching(/^REFUSED sev-snp by snp\.chain\.anchored/),
    })
  })

  it('a report of which a part is missing, as a finding and not as an error', async () => {
    const { code, out } = await run('short.bin', ...ends)
    expect(code).toBe(2)
    expect(out).toMatch(/^REFUSED sev-snp by snp\.report\.length/)
  })
})

describe('prints JSON', () => {
  it('with every key of every finding, null where it says nothing', async () => {
    const { out, err } = await run('report.bin', ...ends, '--json')
    const { tee, status, findings, claims, trustVector } = result(out)
    expect({ tee, status, err }).toEqual({ tee: 'sev-snp', status: 'affirming', err: '' })
    expect(findings[0]).toEqual({
      id: 'snp.report.length',
      outcome: 'pass',
      detail: null,
      observed: null,
      expected: null,
      cites: expect.stringMatching(/^AMD 56860/),
      informs: 'hardware',
    })
    expect(claims).toMatchObject({ version: 3, vmpl: 0, hostData: hostData() })
    expect(trustVector).toMatchObject({ hardware: 2 })
    expect(out).toMatch(/^\{"tee":.*\}\n$/)
  })

  it('without claims when the evidence is not authentic', async () => {
    const { out } = await run('report.bin', '--json')
    expect(result(out)).toMatchObject({ status: 'contraindicated', claims: {} })
  })

  it('of an error on stdout, and nothing on stderr', async () => {
    const { code, out, err } = await run('gone.bin', '--json')
    expect({ code, err }).toEqual({ code: 1, err: '' })
    expect(Failure.parse(JSON.parse(out)).error).toEqual({
      code: 'file-unreadable',
      detail: 'EVIDENCE gone.bin cannot be read: there is no such file.',
      next: 'Check the path and its permissions.',
    })
  })
})

describe('could not tell', () => {
  it.each<[string, readonly string[], RegExp]>([
    ['without evidence', [], /EVIDENCE is missing/],
    ['with two', ['report.bin', 'quote.bin'], /One EVIDENCE is taken at a time and 2 were given/],
    ['with an option it does not know', ['report.bin', '--frob'], /Unknown option '--frob'/],
    ['with an option without its value', ['report.bin', '--at'], /'--at <value>' argument missing/],
    [
      'with one instant too many',
      ['report.bin', '--at', '2026-06-01T00:00:00Z', '--at', '2025-06-01T00:00:00Z'],
      /--at was given 2 times/,
    ],
    ['without the file', ['gone.bin'], /EVIDENCE gone\.bin cannot be read: there is no such file/],
    [
      'with an empty file',
      ['empty.bin'],
      /empty\.bin is not evidence of sev-snp, tdx, sgx: it is empty/,
    ],
    ['with hex', ['report.hex'], /looks like hex; decode it with `xxd -r -p/],
    ['with base64', ['report.b64'], /looks like base64; decode it/],
    ['with JSON', ['report.json'], /looks like JSON; give the raw bytes/],
    ['with a certificate', ['both.pem'], /is PEM; certificates go to --endorsements/],
    ['with noise', ['noise.bin'], /noise\.bin is not evidence.*begins with f0e1d2c3b4a59687/],
    ['with a folder that is no TSM report', ['not-tsm'], /without `outblob`/],
    [
      'with a provider of another TEE',
      ['tdx-as-snp'],
      /provider says "sev_guest", and tdx-as-snp\/outblob is evidence of tdx/,
    ],
    ['with an unknown provider', ['unknown-provider'], /provider says "arm_cca_guest"/],
    [
      'with a broken vector',
      ['broken.vector'],
      /broken\.vector: vector at 0x00d: found no blank line/,
    ],
    [
      'with a vector of an unknown TEE',
      ['foreign.vector'],
      /a vector of arm-cca; this build verifies sev-snp, tdx, sgx/,
    ],
    [
      'without an endorsement that was named',
      ['report.bin', '--endorsements', 'gone.der'],
      /--endorsements gone\.der cannot be read/,
    ],
    [
      'with a stray file among the endorsements',
      ['report.bin', '--endorsements', 'bad-ends'],
      /^vouchsafe verify: bad-ends\/notes\.txt: /,
    ],
    [
      'with evidence as an endorsement',
      ['report.bin', '--endorsements', 'quote.bin'],
      /quote\.bin: .*expected PEM, DER, Intel collateral/,
    ],
    ['with too many endorsements', ['report.bin', '--endorsements', 'many'], /more than 512 files/],
    [
      'with endorsements too deep',
      ['report.bin', '--endorsements', 'one'],
      /one\/two\/three\/four\/five lies more than 4 folders deep/,
    ],
    [
      'at a time without a zone',
      ['report.bin', '--at', '2026-06-01T00:00:00'],
      /not an RFC 3339 instant with a zone/,
    ],
    ['on a day without a time', ['report.bin', '--at', '2026-06-01'], /not an RFC 3339 instant/],
    [
      'on the 30th of February',
      ['report.bin', '--at', '2026-02-30T00:00:00Z'],
      /not an RFC 3339 instant/,
    ],
    ['at hour 25', ['report.bin', '--at', '2026-02-20T25:00:00Z'], /not an RFC 3339 instant/],
    [
      'with an unknown field',
      ['report.bin', '--expect', 'mrtd=00'],
      /--expect mrtd: sev-snp evidence has no field.*\n.*measurement, hostData/,
    ],
    [
      'with a short value',
      ['report.bin', '--expect', 'measurement=00ff'],
      /takes exactly 48 bytes as 96 hex digits, and 2 bytes were given/,
    ],
    [
      'with a value that is not hex',
      ['report.bin', '--expect', 'measurement=sha384:00'],
      /takes exactly 48 bytes.*"sha384:00" was given/,
    ],
    [
      'with a field twice',
      [
        'report.bin',
        ...['hostData', 'host_data'].flatMap((name) => ['--expect', `${name}=${'00'.repeat(32)}`]),
      ],
      /--expect hostData was given twice/,
    ],
    [
      'with an expectation of nothing',
      ['report.bin', '--expect', 'measurement'],
      /--expect measurement names nothing.*\n.*measurement=HEX/,
    ],
    [
      'with an unknown check',
      ['report.bin', '--waive', 'snp.frob=x'],
      /sev-snp has no check or group of that name.*\n.*revocation \(snp\.crl\.current\)/,
    ],
    [
      'with a check of another TEE',
      ['report.bin', '--waive', 'dcap.tcb.status=x'],
      /sev-snp has no check or group/,
    ],
    [
      'with a check that may never be waived',
      ['report.bin', '--waive', 'snp.policy.debug-off=x'],
      /can never be waived.*\n.*attributes \(/,
    ],
    [
      'with a structure rule waived',
      ['report.bin', '--waive', 'snp.report.length=x'],
      /can never be waived/,
    ],
    [
      'with a waiver without a reason',
      ['report.bin', '--waive', 'revocation= '],
      /--waive revocation gives no reason/,
    ],
    ['with a waiver of nothing', ['report.bin', '--waive', '=x'], /names nothing/],
    [
      'with a waiver twice',
      ['report.bin', '--waive', 'tcb=a', '--waive', 'tcb=b'],
      /--waive tcb was given twice/,
    ],
    [
      'with an unknown profile',
      ['report.bin', '--profile', 'moon'],
      /--profile moon is unknown for sev-snp.*\n.*strict, aws, azure, gcp, alibaba/,
    ],
    [
      'with a profile that only Object knows',
      ['report.bin', '--profile', 'constructor'],
      /--profile constructor is unknown/,
    ],
    [
      'with an event log that nobody reads',
      ['report.bin', '--event-log', 'log.ccel'],
      /no check of sev-snp reads an event log/,
    ],
    [
      'without the event log that was named',
      ['quote.bin', '--event-log', 'gone'],
      /--event-log gone cannot be read/,
    ],
  ])('%s', async (_, args, reason) => {
    const { code, out, err } = await run(...args)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(reason)
    expect(err).toMatch(/^vouchsafe verify: .+\nWhat to do: .+\n$/)

    const json = await run(...args, '--json')
    expect({ code: json.code, err: json.err }).toEqual({ code: 1, err: '' })
    Failure.parse(JSON.parse(json.out))
  })

  it('when something fails that should not, without a stack trace', async () => {
    const { code, err } = await verifying(files, ['report.bin', ...ends], {
      anchors,
      now: () => {
        throw new TypeError('the clock stopped')
      },
    })
    expect(code).toBe(1)
    expect(err).toMatch(/the clock stopped\nWhat to do: This is a bug in vouchsafe/)
    expect(err).not.toMatch(/\n\s+at /)
  })
})

describe('a vector', () => {
  const simulated = (...args: string[]) => verifying(files, args, { anchors: anchorSet([]) })

  it('brings roots that count only with --simulated, and says so', async () => {
    const { code, out, err } = await simulated('good.vector')
    expect(code).toBe(2)
    expect(out).toMatch(/^REFUSED sev-snp by snp\.chain\.anchored/)
    expect(err).toMatch(/the roots, instant, waivers and expectations .* are left out.*--simulated/)
  })

  it('of a healthy machine is still refused with --simulated, by its root alone', async () => {
    const { code, out, err } = await simulated('good.vector', '--simulated')
    expect({ code, err }).toEqual({ code: 2, err: '' })
    expect(out).toMatch(/^REFUSED sev-snp by its simulated root: no check failed\n/)
    expect(out).toMatch(/ 0 failed/)
  })

  it('is judged so where the configuration allows simulation', async () => {
    const { out } = await verifying(files, ['bad.vector'], {
      anchors: anchorSet([]),
      simulatedAllowed: true,
    })
    expect(out).toMatch(/^REFUSED sev-snp by snp\.policy\.debug-off/)
  })

  it('brings no waivers of its own to evidence that is judged under the vendors’ roots', async () => {
    const { code, out } = await run('aws.vector')
    expect(code).toBe(2)
    expect(out).toMatch(/^REFUSED sev-snp by snp\.vmpl\.expected/)
  })

  it('brings them with --simulated', async () => {
    const { out } = await simulated('aws.vector', '--simulated')
    expect(out).toMatch(/ 0 failed, 1 waived/)
  })

  it('is what --simulated is about, and nothing else', async () => {
    const { code, err } = await run('report.bin', ...ends, '--simulated')
    expect(code).toBe(0)
    expect(err).toMatch(/--simulated changes nothing here/)
  })
})

describe('for people', () => {
  it('lists every check with --verbose', async () => {
    const { out } = await run('report.bin', ...ends, '--verbose')
    const { findings } = result((await run('report.bin', ...ends, '--json')).out)
    const listed = out.match(/^(pass|not-applicable) +\S+/gm)?.map((line) => line.split(/ +/)[1])
    expect(listed?.map((id) => id?.replace(/:$/, ''))).toEqual(findings.map(({ id }) => id))
  })

  it('says what was not compared', async () => {
    const { out } = await run('report.bin', ...ends, '--expect', `hostData=${hostData()}`)
    expect(out).toMatch(/Next: .*give --expect NAME=HEX for: measurement, reportData, /)
  })

  it('is coloured only where asked', async () => {
    const esc = '\u001b'
    expect((await run('report.bin', ...ends)).out).not.toContain(esc)
    const { out } = await verifying(files, ['report.bin', ...ends], { anchors, colour: true })
    expect(out.split('\n')[0]).toBe(`${esc}[1;32mAFFIRMING${esc}[0m sev-snp`)
  })

  it('shows what a file name or reason spells instead of obeying it', async () => {
    const { err } = await run('\u001b[2Jgone\u202e.bin')
    expect(err).toMatch(/EVIDENCE \\u\{1b\}\[2Jgone\\u\{202e\}\.bin cannot be read/)
    const { out } = await run(
      'report.bin',
      '--endorsements',
      'both.pem',
      '--waive',
      'revocation=\u001b[31mred',
    )
    expect(out).toMatch(/waived \(\\u\{1b\}\[31mred\)/)
  })
})

function hostData(): string {
  return toHex(good.evidence.quote.subarray(0xc0, 0xe0))
}
