/** Are endorsements fetched once, kept whole, renewed in time, and never swapped for somebody else's or older ones? */
import { createHash } from 'node:crypto'
import {
  copyFile,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { amdName } from '../../enclave/simulator/amd.ts'
import { intelMachine } from '../../enclave/simulator/intel-machine.ts'
import { pemOf } from '../../enclave/simulator/pem.ts'
import { vendorFetch } from '../../src/adapters/vendor-fetch.ts'
import { toHex } from '../../src/bytes/encoding.ts'
import { Problem } from '../../src/problems.ts'
import type { Fetch } from '../../src/service/endorsement-source.ts'
import { type EndorsementSubject, nameOf } from '../../src/service/endorsement-subject.ts'
import { movableClock, type RigRequest, removeFolders, rig } from '../fakes/endorsement-rig.ts'
import {
  type Answer,
  addresses,
  body,
  chance,
  endless,
  FMSPC,
  hang,
  milanChip,
  qeIdentity,
  status,
  tcbInfo,
  truncated,
  turinChip,
  type VendorServer,
  vendorServer,
  vendors,
} from '../fakes/vendor-server.ts'

const issued = new Date('2026-01-01T00:00:00Z')
const now = new Date('2026-01-02T00:00:00Z')
const HOUR = 3600
const DAY = 24 * HOUR
const published = vendors(issued)
const { amd, intel } = published
let server: VendorServer
const overridden: string[] = []
beforeAll(async () => {
  server = await vendorServer(published)
})
afterEach(() => {
  for (const address of overridden.splice(0)) server.answer(address, undefined)
})
afterAll(async () => {
  await server.close()
  await removeFolders()
})

const milanTcb = '04000000000018db'
const turinTcb = '0102030400000054'
const milanVcek: EndorsementSubject = {
  document: 'amd-vcek',
  product: 'Milan',
  chipId: toHex(milanChip.hwid),
  tcb: milanTcb,
}
const turinVcek: EndorsementSubject = {
  document: 'amd-vcek',
  product: 'Turin',
  chipId: toHex(turinChip.hwid),
  tcb: turinTcb,
}
const milanCrl: EndorsementSubject = { document: 'amd-crl', product: 'Milan', key: 'vcek' }
const milanChain: EndorsementSubject = { document: 'amd-cert-chain', product: 'Milan', key: 'vcek' }
const tdxTcb: EndorsementSubject = { document: 'intel-tcb-info', tee: 'tdx', fmspc: FMSPC }
const sgxTcb: EndorsementSubject = { document: 'intel-tcb-info', tee: 'sgx', fmspc: FMSPC }
const tdxQe: EndorsementSubject = { document: 'intel-qe-identity', tee: 'tdx' }
const rootCrl: EndorsementSubject = { document: 'intel-root-crl' }
const platformCrl: EndorsementSubject = { document: 'intel-pck-crl', ca: 'platform' }

function answer(address: string, given: Answer): void {
  overridden.push(address)
  server.answer(address, given)
}

/** How often `address` was asked for during `work`. */
async function asked(address: string, work: () => Promise<unknown>): Promise<number> {
  const before = server.requests.length
  await work()
  return server.requests.slice(before).filter((each) => each === address).length
}

function open(changes: Partial<RigRequest> = {}) {
  const clock = movableClock(now)
  return rig({ base: server.base, clock, ...changes }).then((opened) => ({ clock, ...opened }))
}

describe('what is asked for', () => {
  test.each<[EndorsementSubject, string, Date]>([
    [milanChain, addresses.milanChain, amd.Milan.ask.notAfter],
    [milanCrl, addresses.milanCrl, new Date('2027-01-01T00:00:00Z')],
    [milanVcek, addresses.milanVcek, new Date('2033-01-01T00:00:00Z')],
    [turinVcek, addresses.turinVcek, new Date('2033-01-01T00:00:00Z')],
    [tdxTcb, addresses.tdxTcb, new Date('2026-01-31T00:00:00Z')],
    [sgxTcb, addresses.sgxTcb, new Date('2026-01-31T00:00:00Z')],
    [tdxQe, addresses.tdxQe, new Date('2026-01-31T00:00:00Z')],
    [platformCrl, addresses.platformCrl, new Date('2026-01-31T00:00:00Z')],
    [rootCrl, addresses.rootCrl, new Date('2026-01-31T00:00:00Z')],
  ])('%j is fetched once and then held until it ends', async (subject, address, notAfter) => {
    const { cache, clock } = await open()
    const requests = await asked(address, async () => {
      const first = await cache.get(subject)
      expect(first).toMatchObject({ notAfter, fetchedAt: now })
      clock.advance(DAY)
      expect(await cache.get(subject)).toBe(first)
    })
    expect(requests).toBe(1)
  })

  test('comes as the vendor made it', async () => {
    const { cache } = await open()
    const vcek = await cache.get(milanVcek)
    expect(vcek.parts.certificates.map(toHex)).toEqual([toHex(amd.Milan.vcek(milanChip).der)])
    const tcb = await cache.get(tdxTcb)
    const [expected] = intel.collateral('tdx').tcbInfos
    expect(tcb.parts.tcbInfos.map(({ body }) => toHex(body))).toEqual([
      toHex(expected?.body ?? new Uint8Array()),
    ])
  })

  test('is held no longer than the certificates under which it was signed', async () => {
    const notAfter = new Date('2026-01-20T00:00:00Z')
    const tcbSigner = () => ({ notAfter })
    const ending = intelMachine({ chance, issued, alter: { tcbSigner } })
    answer(addresses.tdxTcb, tcbInfo(ending.sign(ending.tcbInfo('tdx'))))
    const { cache } = await open()
    expect(await cache.get(tdxTcb)).toMatchObject({ issuedAt: issued, notAfter })
  })

  test('by fifty callers at once costs one request', async () => {
    const { cache } = await open()
    const requests = await asked(addresses.milanCrl, async () => {
      const all = await Promise.all(Array.from({ length: 50 }, () => cache.get(milanCrl)))
      expect(new Set(all).size).toBe(1)
    })
    expect(requests).toBe(1)
  })

  test('by fifty callers at once, in vain, costs one request too', async () => {
    answer(addresses.milanCrl, status(500))
    const { cache } = await open()
    const requests = await asked(addresses.milanCrl, async () => {
      const all = await Promise.allSettled(Array.from({ length: 50 }, () => cache.get(milanCrl)))
      expect(all.every(({ status }) => status === 'rejected')).toBe(true)
    })
    expect(requests).toBe(1)
  })

  test('of chips that do not exist stays within the budget', async () => {
    const { cache, clock } = await open()
    const before = server.requests.length
    for (let n = 1; n <= 100; n++) {
      const chipId = n.toString(16).padStart(16, '0')
      await expect(cache.get({ ...turinVcek, chipId } as EndorsementSubject)).rejects.toMatchObject(
        {
          code: 'collateral-unavailable',
        },
      )
      clock.advance(0.1)
    }
    expect(server.requests.length - before).toBe(3)
  })

  test('that is not exactly the name of a document is a mistake of ours, and goes nowhere', async () => {
    const { cache } = await open()
    const before = server.requests.length
    const wrong = { ...turinVcek, chipId: '../../evil/' } as EndorsementSubject
    await expect(cache.get(wrong)).rejects.toThrow(TypeError)
    expect(server.requests).toHaveLength(before)
  })
})

describe('an answer', () => {
  const stranger = vendors(issued, 'stranger')
  const future = vendors(new Date('2026-01-02T02:00:00Z'))

  test.each<[string, EndorsementSubject, string, () => Answer]>([
    ['that is a server error', milanCrl, addresses.milanCrl, () => status(500)],
    ['that never comes', milanCrl, addresses.milanCrl, () => hang],
    ['without end', milanCrl, addresses.milanCrl, () => endless],
    ['cut short', milanCrl, addresses.milanCrl, () => truncated(amd.Milan.crl())],
    [
      'that sends us elsewhere',
      milanCrl,
      addresses.milanCrl,
      () => status(301, { location: '/vcek/v1/Genoa/crl' }),
    ],
    [
      'that is a web page',
      milanCrl,
      addresses.milanCrl,
      () => body(Buffer.from('<html>login</html>')),
    ],
    ['of nothing', milanCrl, addresses.milanCrl, () => body(new Uint8Array())],
    ['of noise', milanVcek, addresses.milanVcek, () => body(Buffer.alloc(900, 0x30))],
    ["with another product's list", milanCrl, addresses.milanCrl, () => body(amd.Genoa.crl())],
    [
      'with a list where a certificate belongs',
      milanVcek,
      addresses.milanVcek,
      () => body(amd.Milan.crl()),
    ],
    [
      "with another product's chain",
      milanChain,
      addresses.milanChain,
      () => body(Buffer.from(pemOf([amd.Genoa.ask.der, amd.Genoa.ark.der]))),
    ],
    [
      "with another product's root",
      milanChain,
      addresses.milanChain,
      () => body(Buffer.from(pemOf([amd.Milan.ask.der, amd.Genoa.ark.der]))),
    ],
    [
      'with the VLEK chain for the VCEK one',
      milanChain,
      addresses.milanChain,
      () => body(Buffer.from(pemOf([amd.Milan.asvk.der, amd.Milan.ark.der]))),
    ],
    [
      'with a chain of one',
      milanChain,
      addresses.milanChain,
      () => body(Buffer.from(pemOf([amd.Milan.ask.der]))),
    ],
    [
      "with another chip's VCEK",
      milanVcek,
      addresses.milanVcek,
      () => body(amd.Milan.vcek({ ...milanChip, hwid: new Uint8Array(64).fill(7) }).der),
    ],
    [
      "with another TCB's VCEK",
      milanVcek,
      addresses.milanVcek,
      () => body(amd.Milan.vcek({ ...milanChip, tcb: { ...milanChip.tcb, snp: 23 } }).der),
    ],
    [
      "with another product's VCEK of the same id",
      milanVcek,
      addresses.milanVcek,
      () => body(amd.Genoa.vcek(milanChip).der),
    ],
    [
      'with what says of itself that it is no VCEK',
      milanVcek,
      addresses.milanVcek,
      () => body(amd.Milan.vcek(milanChip, () => ({ subject: amdName('SEV-VLEK') })).der),
    ],
    [
      'with a VLEK',
      milanVcek,
      addresses.milanVcek,
      () => body(amd.Milan.vlek({ cspId: 'CN=cloud', tcb: milanChip.tcb }).der),
    ],
    [
      "with another family's TCB info",
      tdxTcb,
      addresses.tdxTcb,
      () => tcbInfo(intel.sign(intel.tcbInfo('tdx', { fmspc: new Uint8Array(6).fill(1) }))),
    ],
    [
      'with SGX TCB info for TDX',
      tdxTcb,
      addresses.tdxTcb,
      () => tcbInfo(intel.sign(intel.tcbInfo('sgx'))),
    ],
    [
      'with a QE identity for TCB info',
      tdxTcb,
      addresses.tdxTcb,
      () => qeIdentity(intel.sign(intel.qeIdentity('tdx'))),
    ],
    [
      'with the SGX QE for the TDX one',
      tdxQe,
      addresses.tdxQe,
      () => qeIdentity(intel.sign(intel.qeIdentity('sgx'))),
    ],
    [
      'with TCB info without levels',
      tdxTcb,
      addresses.tdxTcb,
      () => tcbInfo(intel.sign(intel.tcbInfo('tdx', { levels: [] }))),
    ],
    [
      "with the Processor CA's list for the Platform CA's",
      platformCrl,
      addresses.platformCrl,
      () => body(intel.pki.pckCrl(intel.pki.processor)),
    ],
    ['from the future', milanCrl, addresses.milanCrl, () => body(future.amd.Milan.crl())],
  ])('%s is refused, and a good one after it is taken', async (_, subject, address, bad) => {
    const { cache, clock } = await open({ budget: { timeoutMs: 80 } })
    answer(address, bad())
    await expect(cache.get(subject)).rejects.toMatchObject({
      code: 'collateral-unavailable',
      retryAfterSeconds: 1,
    })
    expect(await cache.all()).toEqual([])
    server.answer(address, undefined)
    clock.advance(1)
    await cache.get(subject)
  })

  test('is not judged by its label: the right bytes under any Content-Type are taken', async () => {
    answer(
      addresses.milanVcek,
      body(amd.Milan.vcek(milanChip).der, { 'content-type': 'text/html' }),
    )
    const { cache } = await open()
    expect((await cache.get(milanVcek)).parts.certificates).toHaveLength(1)
  })

  test('signed by a stranger is taken here, and refused at every appraisal', async () => {
    // Anchors belong to tenants; this cache serves them all and believes nothing.
    answer(addresses.rootCrl, body(stranger.intel.pki.rootCrl()))
    const { cache } = await open()
    expect((await cache.get(rootCrl)).parts.crls).toHaveLength(1)
  })

  test.each([
    ['40', 40],
    ['Fri, 02 Jan 2026 00:00:40 GMT', 40],
  ])('429 with Retry-After %s is passed on and obeyed', async (header, seconds) => {
    answer(addresses.milanCrl, status(429, { 'retry-after': header }))
    const { cache, clock } = await open()
    const requests = await asked(addresses.milanCrl, async () => {
      for (const wait of [seconds, seconds])
        await expect(cache.get(milanCrl)).rejects.toMatchObject({ retryAfterSeconds: wait })
      clock.advance(seconds)
      await expect(cache.get(milanCrl)).rejects.toThrow(Problem)
    })
    expect(requests).toBe(2)
  })
})

describe('what has ended', () => {
  test('is fetched again when it is asked for', async () => {
    const { cache, clock } = await open()
    await cache.get(rootCrl)
    clock.advance(31 * DAY)
    answer(addresses.rootCrl, body(vendors(clock.now()).intel.pki.rootCrl()))
    expect((await cache.get(rootCrl)).notAfter > clock.now()).toBe(true)
  })

  test('is handed out all the same while the vendor cannot be reached', async () => {
    const { cache, clock } = await open()
    const first = await cache.get(rootCrl)
    clock.advance(31 * DAY)
    answer(addresses.rootCrl, status(500))
    const requests = await asked(addresses.rootCrl, async () => {
      expect(await cache.get(rootCrl)).toBe(first)
      expect(await cache.get(rootCrl)).toBe(first)
    })
    expect(requests).toBe(1)
  })
})

describe('renewal', () => {
  test('comes well before the end and by age, with jitter, and not before', async () => {
    const { cache, clock } = await open()
    await cache.get(milanCrl)
    await cache.get(milanVcek)
    // Half an interval of 12 h and half of the other half, by the jitter of this rig.
    clock.advance(9 * HOUR - 1)
    expect(await cache.refresh()).toEqual({ renewed: [], failed: [] })
    clock.advance(1)
    expect(await cache.refresh()).toEqual({ renewed: [nameOf(milanCrl)], failed: [] })
    expect(await cache.refresh()).toEqual({ renewed: [], failed: [] })
  })

  test('that fails leaves what is held, says so, and is tried again', async () => {
    const { cache, clock } = await open()
    const first = await cache.get(milanCrl)
    clock.advance(12 * HOUR)
    answer(addresses.milanCrl, status(500))
    const { renewed, failed } = await cache.refresh()
    expect({ renewed, names: failed.map(({ name }) => name) }).toEqual({
      renewed: [],
      names: [nameOf(milanCrl)],
    })
    expect(await cache.get(milanCrl)).toBe(first)
    server.answer(addresses.milanCrl, undefined)
    clock.advance(1)
    expect((await cache.refresh()).renewed).toEqual([nameOf(milanCrl)])
  })

  test('asked for twice at once is done once', async () => {
    const { cache, clock } = await open()
    await cache.get(milanCrl)
    clock.advance(12 * HOUR)
    const requests = await asked(addresses.milanCrl, () =>
      Promise.all([cache.refresh(), cache.refresh()]),
    )
    expect(requests).toBe(1)
  })

  test('is counted where it says something else, whoever renewed it', async () => {
    const { cache, clock, directory } = await open()
    const crl = (serials: readonly bigint[]) =>
      amd.Milan.crl({
        thisUpdate: new Date('2026-01-01T12:00:00Z'),
        revoked: serials.map((serial) => ({ serial, at: issued })),
      })
    answer(addresses.milanCrl, body(crl([])))
    await cache.get(milanCrl)
    const other = await open({ directory })
    expect([cache.renewals(), other.cache.renewals()]).toEqual([0, 0])
    clock.advance(12 * HOUR)
    await cache.refresh()
    expect(cache.renewals()).toBe(0)
    answer(addresses.milanCrl, body(crl([5n])))
    clock.advance(12 * HOUR)
    await cache.refresh()
    expect(cache.renewals()).toBe(1)
    await other.cache.refresh()
    expect(other.cache.renewals()).toBe(1)
  })

  test('does not let an older list take the place of a newer one', async () => {
    const { cache, clock, reports } = await open()
    const crl = (thisUpdate: string, revoked: bigint[]) =>
      amd.Milan.crl({
        thisUpdate: new Date(thisUpdate),
        nextUpdate: new Date('2026-06-01T00:00:00Z'),
        revoked: revoked.map((serial) => ({ serial, at: issued })),
      })
    answer(addresses.milanCrl, body(crl('2026-01-01T12:00:00Z', [5n])))
    const first = await cache.get(milanCrl)
    answer(addresses.milanCrl, body(crl('2026-01-01T00:00:00Z', [])))
    clock.advance(12 * HOUR)
    await cache.refresh()
    expect((await cache.get(milanCrl)).digest).toBe(first.digest)
    expect(reports).toEqual([expect.stringContaining('before the one of 2026-01-01T12:00:00.000Z')])
  })
})

describe('on disk', () => {
  const index = async (directory: string) => (await readdir(join(directory, 'index'))).toSorted()
  const objects = async (directory: string) =>
    (await readdir(join(directory, 'objects'))).toSorted()

  test('everything outlives a restart, and nothing is fetched for it', async () => {
    const first = await open()
    const before = await first.cache.get(milanVcek)
    const requests = await asked(addresses.milanVcek, async () => {
      const { cache } = await open({ directory: first.directory })
      expect(await cache.get(milanVcek)).toEqual(before)
    })
    expect(requests).toBe(0)
  })

  test('nobody else can read it', async () => {
    const { cache, directory } = await open()
    await cache.get(milanCrl)
    const [file = ''] = await objects(directory)
    expect((await stat(join(directory, 'objects', file))).mode & 0o077).toBe(0)
    expect((await stat(join(directory, 'objects'))).mode & 0o077).toBe(0)
  })

  test.each<[string, string, (path: string) => Promise<void>]>([
    ['an object with a flipped bit', 'objects', flipped],
    ['an object that was cut', 'objects', (path) => truncate(path, 10)],
    ['an empty object', 'objects', (path) => truncate(path, 0)],
    ['an object that is gone', 'objects', (path) => rm(path)],
    ['an entry with a flipped bit', 'index', flipped],
    ['an entry with another date', 'index', redated],
    ['an entry in a place that is not its own', 'index', (path) => rename(path, `${path}0`)],
    ['an entry that was cut', 'index', (path) => truncate(path, 10)],
    ['an entry of another make', 'index', (path) => writeFile(path, '{}')],
    ['an entry of great size', 'index', (path) => writeFile(path, Buffer.alloc(1e6, 'x'))],
  ])('%s is dropped and fetched again', async (_, folder, spoil) => {
    const first = await open()
    const held = await first.cache.get(milanCrl)
    for (const file of await readdir(join(first.directory, folder)))
      await spoil(join(first.directory, folder, file))
    const requests = await asked(addresses.milanCrl, async () => {
      const { cache } = await open({ directory: first.directory })
      expect((await cache.get(milanCrl)).digest).toBe(held.digest)
    })
    expect(requests).toBe(1)
    const { cache } = await open({ directory: first.directory })
    expect(await asked(addresses.milanCrl, () => cache.get(milanCrl))).toBe(0)
  })

  test('what another process imported while we ran is handed out, and still on disk', async () => {
    const first = await open()
    await first.cache.get(milanCrl)
    // Knows of the list and has not read it yet, as every service after its start.
    const offline: Fetch = () => Promise.reject(new Error('no way out'))
    const service = await open({ directory: first.directory, fetch: offline })
    const importing = await open({ directory: first.directory, fetch: offline })
    const thisUpdate = new Date('2026-01-01T12:00:00Z')
    answer(addresses.milanCrl, body(amd.Milan.crl({ thisUpdate })))
    const held = await (await open()).cache.get(milanCrl)
    await importing.cache.put({ subject: milanCrl, held })
    expect((await service.cache.get(milanCrl)).digest).toBe(held.digest)
    const restarted = await open({ directory: first.directory, fetch: offline })
    expect((await restarted.cache.get(milanCrl)).digest).toBe(held.digest)
  })

  test("an entry in another's place is not taken for it", async () => {
    const first = await open()
    await first.cache.get(milanCrl)
    const [file = ''] = await index(first.directory)
    const genoaCrl: EndorsementSubject = { ...milanCrl, product: 'Genoa' }
    const place = createHash('sha256').update(nameOf(genoaCrl)).digest('hex')
    const second = await open({ directory: first.directory })
    await copyFile(join(first.directory, 'index', file), join(first.directory, 'index', place))
    expect(await asked('/vcek/v1/Genoa/crl', () => second.cache.get(genoaCrl))).toBe(1)
  })

  test('what spoils while we run is noticed after a restart of nothing but the memory', async () => {
    const first = await open()
    await first.cache.get(milanCrl)
    const second = await open({ directory: first.directory })
    for (const file of await objects(first.directory))
      await flipped(join(first.directory, 'objects', file))
    expect(await asked(addresses.milanCrl, () => second.cache.get(milanCrl))).toBe(1)
  })

  test('what a kill in mid-write leaves hides nothing, and goes when it is old', async () => {
    const first = await open()
    await first.cache.get(milanCrl)
    const leftovers = [
      join(first.directory, 'objects', `${'a'.repeat(64)}.0.tmp`),
      join(first.directory, 'objects', 'b'.repeat(64)),
      join(first.directory, 'index', `${'c'.repeat(64)}.0.tmp`),
    ]
    for (const path of leftovers) await writeFile(path, 'half of someth')
    const [young, old] = [
      new Date(now.getTime() - 60_000),
      new Date(now.getTime() - 2 * HOUR * 1000),
    ]

    for (const path of leftovers) await utimes(path, young, young)
    const second = await open({ directory: first.directory })
    expect(await asked(addresses.milanCrl, () => second.cache.get(milanCrl))).toBe(0)
    expect(await objects(first.directory)).toHaveLength(3)

    const kept = (await objects(first.directory)).map((name) =>
      join(first.directory, 'objects', name),
    )
    for (const path of [...leftovers, ...kept]) await utimes(path, old, old)
    const third = await open({ directory: first.directory })
    expect(await objects(first.directory)).toHaveLength(1)
    expect(await asked(addresses.milanCrl, () => third.cache.get(milanCrl))).toBe(0)
    expect(await index(first.directory)).toHaveLength(1)
  })

  test('two names for one document share an object, which stays while either needs it', async () => {
    const { cache, directory, clock } = await open()
    const vlekCrl: EndorsementSubject = { document: 'amd-crl', product: 'Milan', key: 'vlek' }
    await cache.get(milanCrl)
    await cache.get(vlekCrl)
    expect([await index(directory), await objects(directory)].map((files) => files.length)).toEqual(
      [2, 1],
    )
    clock.advance(12 * HOUR)
    answer(addresses.milanCrl, body(amd.Milan.crl({ revoked: [{ serial: 9n, at: issued }] })))
    await cache.refresh()
    const reopened = await open({ directory })
    expect(await asked('/vlek/v1/Milan/crl', () => reopened.cache.get(vlekCrl))).toBe(0)
  })

  test('an object that no name has any more goes', async () => {
    const { cache, directory, clock } = await open()
    await cache.get(milanCrl)
    const before = await objects(directory)
    clock.advance(12 * HOUR)
    answer(addresses.milanCrl, body(amd.Milan.crl({ revoked: [{ serial: 9n, at: issued }] })))
    await cache.refresh()
    const after = await objects(directory)
    expect(after).toHaveLength(1)
    expect(after).not.toEqual(before)
  })

  test('it is bounded: the least recently used go first', async () => {
    const { cache, directory } = await open({ cache: { mostBytes: 4000 } })
    await cache.get(milanVcek)
    await cache.get(milanCrl)
    await cache.get(milanVcek)
    await cache.get(turinVcek)
    const names = (await cache.all()).map(({ subject }) => nameOf(subject))
    expect(names).toEqual([nameOf(milanVcek), nameOf(turinVcek)])
    expect(await objects(directory)).toHaveLength(2)
    expect(await index(directory)).toHaveLength(2)
  })

  test('what another process fetched is found at once, and what it renewed at the next renewal', async () => {
    const one = await open()
    const two = await open({ directory: one.directory })
    await one.cache.get(milanCrl)
    expect(await asked(addresses.milanCrl, () => two.cache.get(milanCrl))).toBe(0)
    one.clock.advance(12 * HOUR)
    two.clock.advance(12 * HOUR)
    await one.cache.refresh()
    expect(await asked(addresses.milanCrl, () => two.cache.refresh())).toBe(0)
    expect(await two.cache.get(milanCrl)).toEqual(await one.cache.get(milanCrl))
  })

  test('a disk that fails is reported and stops no attestation', async () => {
    const { cache, directory, reports } = await open()
    await rm(directory, { recursive: true })
    const held = await cache.get(milanCrl)
    expect(await asked(addresses.milanCrl, () => cache.get(milanCrl))).toBe(0)
    expect(held.parts.crls).toHaveLength(1)
    expect(reports.join()).toContain('ENOENT')
  })

  test('a disk that fails is an error where the work is to fill it', async () => {
    const { cache, directory } = await open({ cache: { whenDiskFails: 'throw' } })
    await rm(directory, { recursive: true })
    await expect(cache.fetch(milanCrl)).rejects.toMatchObject({ code: 'configuration-invalid' })
  })

  test('a folder that cannot be one is a mistake of the configuration', async () => {
    const { directory } = await open()
    const file = join(directory, 'file')
    await writeFile(file, '')
    await expect(open({ directory: file })).rejects.toMatchObject({ code: 'configuration-invalid' })
  })
})

test('an operator may fetch what the budget would refuse, and what is held already', async () => {
  const { cache } = await open()
  const requests = await asked(addresses.turinVcek, async () => {
    for (let n = 0; n < 5; n++) await cache.fetch(turinVcek)
  })
  expect(requests).toBe(5)
})

test('nothing is asked of an address that no configuration names', async () => {
  const hosts = new Set<string>()
  const fetch: Fetch = (request) => {
    hosts.add(new URL(request.url).origin)
    return vendorFetch(request)
  }
  const { cache } = await open({ fetch })
  // Certificates, lists and collateral of the simulator name AMD's and Intel's own hosts in their distribution points.
  for (const subject of [milanChain, milanCrl, milanVcek, tdxTcb, tdxQe, platformCrl, rootCrl])
    await cache.get(subject)
  expect([...hosts]).toEqual([server.base])
})

async function flipped(path: string): Promise<void> {
  const bytes = await readFile(path)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  await writeFile(path, bytes)
}

async function redated(path: string): Promise<void> {
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace('"notAfter":"2027', '"notAfter":"2037'))
  expect(text).toContain('"notAfter":"2027')
}
