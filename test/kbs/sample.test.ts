/** Evidence that nobody signs, and evidence of TEEs that nobody here judges: which is taken, where, and as whom. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attestOverHttp } from '../../enclave/attestation.ts'
import {
  agentOf,
  anchorsOf,
  attester,
  platform,
  type RunningService,
} from '../http/running-service.ts'
import { brokerManifest, brokerService } from './broker-scene.ts'
import { type Evidence, StockClient, sampleEvidence } from './stock-client.ts'

let service: RunningService
beforeAll(async () => {
  service = await brokerService()
})
afterAll(async () => {
  await service.close()
})

function client(evidence: Evidence, tee = 'sample'): StockClient {
  return new StockClient({ url: service.url, tee, evidence })
}

const rejected = (detail: RegExp) => ({
  status: 401,
  json: {
    type: 'https://github.com/confidential-containers/kbs/errors/AttestationError',
    detail: expect.stringMatching(detail),
  },
})

describe('sample evidence', () => {
  test.each([
    [
      'the switch is off',
      { broker: { keyBroker: true, sample: false, attestationService: false } },
    ],
    [
      'the tenant takes no simulated evidence',
      { anchors: anchorsOf(platform.anchors, 'hardware') },
    ],
  ])('is refused at once where %s', async (_, request) => {
    const other = await brokerService(request)
    try {
      const { status, json } = await new StockClient({ url: other.url }).auth()
      expect({ status, json }).toMatchObject({
        status: 401,
        json: { detail: expect.stringMatching(/VOUCHSAFE_KBS_SAMPLE/) },
      })
    } finally {
      await other.close()
    }
  })

  test('is refused where no manifest says that it counts', async () => {
    const other = await brokerService({
      manifestText: brokerManifest((text) =>
        text.replace('    - id: tried-out\n      tee: sample\n      svn: "1"\n', ''),
      ),
    })
    try {
      const refused = await new StockClient({ url: other.url }).handshake()
      expect(refused).toMatchObject(rejected(/release\.tee/))
    } finally {
      await other.close()
    }
  })

  test('is compared with what the manifest names', async () => {
    const evidence: Evidence = (digest) =>
      JSON.stringify({ svn: '2', report_data: digest.toString('base64') })
    expect(await client(evidence).handshake()).toMatchObject(rejected(/sample\.svn/))
  })

  test('no request of the service’s own API can bring it', async () => {
    const { identity, keys } = await agentOf(service)
    const { status, document } = await attestOverHttp(identity, {
      service: service.url,
      keys,
      attester: {
        ...attester(),
        attest: (reportData) => ({
          quote: Buffer.from(sampleEvidence(Buffer.from(reportData))),
        }),
      },
    })
    expect({ status, code: document.code }).toEqual({ status: 400, code: 'evidence-unrecognised' })
    const appraisal = await fetch(`${service.url}/v1/appraisals`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ tee: 'sample', evidence: { quote: 'e30' } }),
    })
    expect(appraisal.status).toBe(400)
  })
})

test.each([
  'az-snp-vtpm',
  'az-tdx-vtpm',
  'sgx',
  'cca',
  'csv',
  'hygondcu',
  'se',
  'tpm',
  'nvidia',
  'sampledevice',
])('evidence of %s is not taken', async (tee) => {
  const { status, json } = await client(sampleEvidence, tee).auth()
  expect({ status, json }).toMatchObject({
    status: 401,
    json: { detail: expect.stringMatching(/snp, tdx, sample/) },
  })
})
