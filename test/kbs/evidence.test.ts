/** Evidence of hardware by the Key Broker protocol: judged by the same code as any other, in the form of the stock client. */
import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endorsements } from '#src/rats/endorsements.ts'
import { simulatedTdx } from '../../enclave/simulator/agent.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import {
  anchorsOf,
  bearer,
  goodMeasurement,
  platform,
  policyOf,
  post,
  type RunningService,
} from '../http/running-service.ts'
import { brokerManifest, brokerService, PATH, SECRET } from './broker-scene.ts'
import { type ReportShape, reportJson, snpJson } from './snp-json.ts'
import { type Evidence, StockClient, sampleEvidence } from './stock-client.ts'

let service: RunningService
beforeAll(async () => {
  service = await brokerService()
})
afterAll(async () => {
  await service.close()
})

type Fields = NonNullable<Parameters<typeof platform.attest>[0]['fields']>

/** Of the simulated machine, with what its host hands out; `change` is a text of JSON to another. */
function snpEvidence({
  shape = 'sev 6',
  measurement = goodMeasurement,
  fields = {},
  change = (text: string) => text,
}: {
  readonly shape?: ReportShape
  readonly measurement?: Uint8Array
  readonly fields?: Fields
  readonly change?: (text: string) => string
} = {}): Evidence {
  return (digest) => {
    const reportData = new Uint8Array(64)
    reportData.set(digest)
    const { quote, auxblob } = platform.attest({ reportData, measurement, fields })
    const certificates = certificatesIn(auxblob ?? new Uint8Array())
    const lists = platform.endorsements.crls.map((crl) => ['CRL', crl] as const)
    return change(snpJson(reportJson(quote, shape), [...certificates, ...lists]))
  }
}

/** DER sequences of the simulated host's table, in its order. */
function certificatesIn(table: Uint8Array): readonly (readonly [string, Uint8Array])[] {
  const bytes = Buffer.from(table)
  return ['VCEK', 'ASK'].map((type, index) => {
    const at = bytes.readUInt32LE(index * 24 + 16)
    return [type, bytes.subarray(at, at + bytes.readUInt32LE(index * 24 + 20))] as const
  })
}

function client(evidence: Evidence, tee = 'snp'): StockClient {
  return new StockClient({ url: service.url, tee, evidence })
}

const rejected = (detail: RegExp) => ({
  status: 401,
  json: {
    type: 'https://github.com/confidential-containers/kbs/errors/AttestationError',
    detail: expect.stringMatching(detail),
  },
})

describe('SEV-SNP', () => {
  test.each<ReportShape>(['sev 6', 'sev 3'])(
    'a machine whose agent writes the JSON of %s gets its secret',
    async (shape) => {
      const agent = client(snpEvidence({ shape }))
      const attested = await agent.handshake()
      expect(attested.status, attested.text).toBe(200)
      expect(await agent.secret(PATH)).toBe(SECRET)
    },
  )

  test('what another machine launched is refused, and so is a policy bit that no double could hold', async () => {
    const measurement = new Uint8Array(48).fill(0xee)
    expect(await client(snpEvidence({ measurement })).handshake()).toMatchObject(
      rejected(/release\.tee/),
    )
    const change = (text: string) =>
      text.replace(/"policy":(\d+)/, (_, value) => `"policy":${BigInt(value) | (1n << 63n)}`)
    expect(await client(snpEvidence({ change })).handshake()).toMatchObject(
      rejected(/snp\.policy\.reserved/),
    )
  })

  test('a machine that an operator bans loses the handshake that it has, and gets no other', async () => {
    const agent = client(snpEvidence())
    await agent.handshake()
    expect(await agent.secret(PATH)).toBe(SECRET)
    const { quote } = platform.attest({
      reportData: new Uint8Array(64),
      measurement: goodMeasurement,
      fields: {},
    })
    // CHIP_ID, SEV-SNP ABI table 23.
    const chip = Buffer.from(quote).toString('hex', 0x1a0, 0x1e0)
    const did = async (path: string, body: object) =>
      await post(`${service.url}${path}`, JSON.stringify(body), bearer('operator'))
    expect((await did('/v1/bans', { platform: chip, reason: 'stolen blade' })).status).toBe(200)
    await service.chores()
    const { jti = '' } = decodeJwt(agent.token ?? '')
    expect((await service.verifier.store.findToken(jti))?.revocation?.detail).toContain(
      'revoked.ban',
    )
    expect((await agent.resource(PATH)).status).toBe(401)
    expect(await client(snpEvidence()).handshake()).toMatchObject(rejected(/revoked\.ban/))
    await did('/v1/bans/lifts', { platform: chip, reason: 'found' })
  })

  test('one changed byte is no longer what the chip signed', async () => {
    const change = (text: string) => text.replace('"host_data":[0', '"host_data":[1')
    expect(await client(snpEvidence({ change })).handshake()).toMatchObject(
      rejected(/snp\.report\.signature|signature/),
    )
  })

  test('members that no report has, or that contradict one another, are refused before anything is judged', async () => {
    const smuggled = (text: string) => text.replace('{"version"', '{"smuggled":true,"version"')
    expect(await client(snpEvidence({ change: smuggled })).handshake()).toMatchObject(
      rejected(/evidence-unrecognised.*smuggled/),
    )
    const twice = (text: string) => text.replace('"current":', '"current_major":9,"current":')
    expect(await client(snpEvidence({ change: twice })).handshake()).toMatchObject(
      rejected(/round trip/),
    )
  })

  test('a vendor’s own entry of the certificate table is passed over', async () => {
    const change = (text: string) =>
      text.replace(
        '"cert_chain":[',
        '"cert_chain":[{"cert_type":{"OTHER":"00000000-0000-0000-0000-000000000001"},"data":[1,2,3]},',
      )
    const attested = await client(snpEvidence({ change })).handshake()
    expect(attested.status, attested.text).toBe(200)
  })

  test('evidence that was made for another nonce is not bound to this handshake', async () => {
    const agent = client(snpEvidence())
    const { json } = await agent.auth()
    const body = agent.answerTo(json.nonce, { boundNonce: Buffer.alloc(32).toString('base64') })
    expect(await agent.attest(body)).toMatchObject(
      rejected(/refused at binding by binding\.report-data/),
    )
  })

  test('evidence that was relayed for another key is not bound to it', async () => {
    const victim = client(snpEvidence())
    const thief = client(snpEvidence())
    const { json } = await thief.auth()
    const stolen = JSON.parse(victim.answerTo(json.nonce))
    const body = {
      ...stolen,
      'runtime-data': { nonce: json.nonce, 'tee-pubkey': thief.key.jwk },
    }
    expect(await thief.attest(JSON.stringify(body))).toMatchObject(rejected(/binding\.report-data/))
  })
})

describe('evidence of further devices', () => {
  test('is refused, however well it is bound: nobody here judges it', async () => {
    const agent = client(snpEvidence())
    const { json } = await agent.auth()
    const body = agent.answerTo(json.nonce, { additional: '{"sampledevice":{"svn":"2"}}' })
    expect(await agent.attest(body)).toMatchObject(rejected(/additional_evidence/))
  })

  test('the text is part of what is hashed: it can be neither added nor taken away', async () => {
    const agent = client(snpEvidence())
    const { json } = await agent.auth()
    const body = JSON.parse(agent.answerTo(json.nonce, { additional: '{}' }))
    body['tee-evidence'].additional_evidence = ''
    expect(await agent.attest(JSON.stringify(body))).toMatchObject(rejected(/binding\.report-data/))
  })
})

describe('init-data', () => {
  const toml = 'algorithm = "sha256"\nversion = "0.1.0"\n\n[data]\n"policy.rego" = "package a"\n'
  const digest = createHash('sha256').update(toml).digest()
  const launched = (hostData: Uint8Array) => snpEvidence({ fields: { hostData } })

  async function answered(evidence: Evidence, initData: string) {
    const agent = client(evidence)
    const { json } = await agent.auth()
    return await agent.attest(agent.answerTo(json.nonce, { initData }))
  }

  test('whose digest the hardware reports is taken', async () => {
    const attested = await answered(launched(digest), toml)
    expect(attested.status, attested.text).toBe(200)
  })

  test('is refused where the hardware reports another, by the check that compares the field', async () => {
    expect(await answered(launched(new Uint8Array(32)), toml)).toMatchObject(
      rejected(/snp\.host-data/),
    )
    expect(await answered(launched(digest), `${toml}# changed\n`)).toMatchObject(
      rejected(/snp\.host-data/),
    )
  })

  test.each([
    [
      'a digest that would have to be cut',
      toml.replace('sha256', 'sha384'),
      /only a sha256 digest/,
    ],
    ['an algorithm that is named within a table only', `[data]\n${toml}`, /not named/],
  ])('%s is refused', async (_, text, detail) => {
    const cut = createHash('sha384').update(text).digest().subarray(0, 32)
    expect(await answered(launched(cut), text)).toMatchObject({
      status: 400,
      json: { detail: expect.stringMatching(detail) },
    })
  })

  test('beside evidence that has no place for it is refused', async () => {
    const agent = client(sampleEvidence, 'sample')
    const { json } = await agent.auth()
    const attested = await agent.attest(agent.answerTo(json.nonce, { initData: toml }))
    expect(attested).toMatchObject({
      status: 400,
      json: { detail: expect.stringMatching(/no place/) },
    })
  })
})

describe('TDX', () => {
  const issued = new Date('2026-05-31T00:00:00Z')
  const td = simulatedTdx({ chance: seededChance('broker td'), issued })
  const initData = 'algorithm = "sha384"\nversion = "0.1.0"\n'
  const mrConfigId = createHash('sha384').update(initData).digest()
  const rtmr = new Uint8Array(48)
  const text = brokerManifest((before) =>
    before.replace(
      '    - id: tried-out\n',
      `    - id: td\n      tee: tdx\n      mrTd: sha384:${'a1'.repeat(48)}\n${[0, 1, 2]
        .map((index) => `      rtmr${index}: sha384:${Buffer.from(rtmr).toString('hex')}\n`)
        .join('')}    - id: tried-out\n`,
    ),
  )
  const evidence: Evidence = (digest) => {
    const reportData = new Uint8Array(64)
    reportData.set(digest)
    const { quote } = td.attest({
      reportData,
      measurement: goodMeasurement,
      fields: { rtmr0: rtmr, rtmr1: rtmr, rtmr2: rtmr, mrConfigId },
    })
    return JSON.stringify({ cc_eventlog: null, quote: Buffer.from(quote).toString('base64') })
  }
  test('a quote as the stock client sends it gets its secret, and its init-data is held against MRCONFIGID', async () => {
    const tds = await brokerService({
      policy: await policyOf(text),
      anchors: anchorsOf([...platform.anchors, ...td.anchors]),
      // The protocol carries no collateral: a vendor is asked, and here that is the simulated one.
      collect: async (_, __, brought) => ({
        endorsements: endorsements(td.endorsements, brought ?? {}),
        missing: [],
      }),
    })
    try {
      const agent = new StockClient({ url: tds.url, tee: 'tdx', evidence })
      const { json } = await agent.auth()
      const attested = await agent.attest(agent.answerTo(json.nonce, { initData }))
      expect(attested.status, attested.text).toBe(200)
      expect(await agent.secret(PATH)).toBe(SECRET)
      const other = await agent.auth()
      const refused = await agent.attest(
        agent.answerTo(other.json.nonce, { initData: `${initData}#` }),
      )
      expect(refused).toMatchObject(rejected(/tdx\.mr-config-id|mr-config/))
    } finally {
      await tds.close()
    }
  })
})
