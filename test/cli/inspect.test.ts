/** Does `vouchsafe inspect` say what a file says, and never let it pass for verified? */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { toHex } from '../../src/bytes/encoding.ts'
import { inspectCommand } from '../../src/cli/inspect.ts'
import { filesInMemory, output, pem, type Tree, tableOf, vector, vectorText } from './command.ts'

const snp = vector('sev-snp/milan-v3-good')
const td = vector('tdx/td15-v5-good')
const enclave = vector('sgx/sgx-v3-good')
const [vcek = new Uint8Array(), ask = new Uint8Array()] = snp.parts.certificates
const [crl = new Uint8Array()] = snp.parts.crls
const [tcbInfo] = td.parts.tcbInfos
const [qeIdentity] = td.parts.qeIdentities
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('utf8')
const root = readFileSync(new URL('../../certs/intel/sgx-root-ca.pem', import.meta.url), 'utf8')

const files: Tree = {
  'report.bin': snp.evidence.quote,
  'td.bin': td.evidence.quote,
  'enclave.bin': enclave.evidence.quote,
  'short.bin': snp.evidence.quote.slice(0, 100),
  'vcek.der': vcek,
  'chain.pem': `${pem('CERTIFICATE', vcek)}${pem('CERTIFICATE', ask)}${pem('X509 CRL', crl)}`,
  'crl.der': crl,
  'root.pem': root,
  'table.bin': tableOf({ vcek, ask }),
  'tsm/outblob': snp.evidence.quote,
  'tsm/auxblob': tableOf({ vcek }),
  'tcb-info.json': `{"tcbInfo":${text(tcbInfo?.body)},"signature":"${toHex(tcbInfo?.signature ?? new Uint8Array())}"}`,
  'qe-identity.json': `{"enclaveIdentity":${text(qeIdentity?.body)},"signature":"00"}`,
  'broken-tcb-info.json': '{"tcbInfo":{"id":"TDX","version":2},"signature":"00"}',
  'collateral.json': JSON.stringify({
    tcb_info: text(tcbInfo?.body),
    tcb_info_signature: toHex(tcbInfo?.signature ?? new Uint8Array()),
    tcb_info_issuer_chain: root,
    root_ca_crl: toHex(td.parts.crls[0] ?? new Uint8Array()),
  }),
  'case.vector': vectorText('sev-snp/aws-profile-good'),
  'noise.bin': Buffer.from('f0e1d2c3b4a5968778', 'hex'),
  'empty.bin': '',
  'other.json': '{"hello":"world"}',
}

async function run(...args: string[]) {
  const { written, out, err } = output()
  const code = await inspectCommand(args, { files: filesInMemory(files), out, err })
  return { code, ...written }
}

const Inspection = z.strictObject({
  verified: z.literal(false),
  kind: z.string(),
  fields: z.looseObject({}),
})

describe('shows', () => {
  it.each<[string, string, string, object]>([
    [
      'an SNP report',
      'report.bin',
      'sev-snp evidence',
      { version: 3, product: 'Milan', policy: { debug: false } },
    ],
    [
      'a TDX quote',
      'td.bin',
      'tdx evidence',
      { version: 5, qeReport: {}, pckChain: expect.stringMatching(/^-----BEGIN/) },
    ],
    ['an SGX quote', 'enclave.bin', 'sgx evidence', { version: 3, mrEnclave: expect.any(String) }],
    [
      'a TSM directory with its table',
      'tsm',
      'sev-snp evidence',
      { version: 3, auxblob: [{ keyType: 'P-384' }] },
    ],
    [
      'a certificate of AMD',
      'vcek.der',
      'certificates',
      {
        certificates: [
          {
            keyType: 'P-384',
            authority: false,
            amd: { productName: 'Milan-B0', tcb: { snp: 24 } },
          },
        ],
      },
    ],
    [
      'the root of Intel',
      'root.pem',
      'certificates',
      {
        certificates: [
          {
            subject: expect.stringMatching(/Intel SGX Root CA/),
            authority: true,
            pathLength: 1,
            keyUsage: ['keyCertSign', 'cRLSign'],
          },
        ],
      },
    ],
    ['a revocation list', 'crl.der', 'crls', { crls: [{ revokedCount: 0, revokedSerials: [] }] }],
    [
      'PEM with certificates and a list',
      'chain.pem',
      'certificates and crls',
      { certificates: [{}, { authority: true }], crls: [{}] },
    ],
    [
      'a certificate table',
      'table.bin',
      'certificates',
      { certificates: [{ keyType: 'P-384' }, { keyType: 'RSA-4096' }] },
    ],
    [
      'TCB info as PCS answers it',
      'tcb-info.json',
      'Intel TCB info',
      {
        id: 'TDX',
        levels: expect.arrayContaining([expect.objectContaining({ status: 'UpToDate' })]),
      },
    ],
    [
      'a QE identity as PCS answers it',
      'qe-identity.json',
      'Intel QE identity',
      { id: 'TD_QE', isvProdId: expect.any(Number) },
    ],
    [
      'TCB info that cannot be read, saying why',
      'broken-tcb-info.json',
      'Intel TCB info',
      { unreadable: expect.stringMatching(/tcbInfo.*expected version 3/) },
    ],
    [
      'collateral',
      'collateral.json',
      'crls and tcbInfos',
      { crls: [{}], tcbInfos: [{ id: 'TDX', issuerChain: [{ authority: true }] }] },
    ],
    [
      'a vector',
      'case.vector',
      'vector',
      {
        expect: 'pass',
        profile: 'aws',
        evidence: { vmpl: 1 },
        simulatedRoots: [{ authority: true }],
      },
    ],
  ])('%s', async (_, path, kind, fields) => {
    const { code, out, err } = await run(path, '--json')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const inspection = Inspection.parse(JSON.parse(out))
    expect(inspection.kind).toBe(kind)
    expect(inspection.fields).toMatchObject(fields)
  })

  it('what a PCK certificate says of its platform', async () => {
    const pck = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(
      text(td.evidence.quote),
    )?.[0]
    const { written, out, err } = output()
    await inspectCommand(['pck.pem', '--json'], {
      files: filesInMemory({ 'pck.pem': pck ?? '' }),
      out,
      err,
    })
    expect(JSON.parse(written.out)).toMatchObject({
      fields: { certificates: [{ intel: { fmspc: expect.stringMatching(/^[0-9a-f]{12}$/) } }] },
    })
  })

  it.each(Object.keys(files).filter((path) => !/^(noise|empty|short|other|tsm)/.test(path)))(
    'first that %s is not verified',
    async (path) => {
      const { code, out } = await run(path)
      expect(code).toBe(0)
      expect(out).toMatch(/^NOT VERIFIED: .*anybody could have written it\.\n/)
    },
  )

  it('fields as an indented tree', async () => {
    const { out } = await run('report.bin')
    expect(out).toMatch(/\n {2}version: 3\n/)
    expect(out).toMatch(/\n {2}policy\n {4}raw: 0x30000\n/)
    expect(out).toMatch(/\n {2}launchMitVector: none\n/)
  })

  it('help with examples', async () => {
    const { code, out } = await run('--help')
    expect(code).toBe(0)
    expect(out).toMatch(/Examples:\n {2}vouchsafe inspect report\.bin/)
  })
})

describe('could not tell', () => {
  it.each<[string, readonly string[], RegExp]>([
    ['without a file', [], /PATH is missing/],
    ['when it is not there', ['gone.bin'], /PATH gone\.bin cannot be read: there is no such file/],
    [
      'when it is empty',
      ['empty.bin'],
      /empty\.bin is no evidence of sev-snp, tdx, sgx, and no endorsement either.*an empty file/,
    ],
    [
      'when it is noise',
      ['noise.bin'],
      /noise\.bin is no evidence.*expected PEM, DER, Intel collateral/,
    ],
    ['when it is other JSON', ['other.json'], /other\.json is no evidence.*found no part of it/],
    [
      'when it is a broken report',
      ['short.bin'],
      /meant as evidence of sev-snp and cannot be decoded \(snp\.report\.length\): /,
    ],
  ])('%s', async (_, args, reason) => {
    const { code, out, err } = await run(...args)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(reason)
    expect(err).toMatch(/^vouchsafe inspect: .+\nWhat to do: .+\n$/)
    expect(JSON.parse((await run(...args, '--json')).out)).toHaveProperty('error.next')
  })
})
