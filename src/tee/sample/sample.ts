/**
 * The `sample` evidence of the Key Broker protocol, which its stock client sends where there is no TEE: a number and the
 * report data, signed by nobody. It proves nothing about anybody, and is worth what simulated evidence is worth, in a tenant
 * that takes that, and only as a release whose manifest says `tee: sample`. No request of ours can bring it: registry.ts.
 */
import { z } from 'zod'
import { fromBase64 } from '../../bytes/encoding.ts'
import { takesSimulated } from '../../pki/anchor.ts'
import { type Check, notApplicable, refuse } from '../../rats/check.ts'
import type { SampleReference } from '../../rats/reference-values.ts'
import {
  type Compared,
  type Decoding,
  defineTee,
  type Endorsed,
  type Presented,
  type StructureRule,
} from '../../rats/tee.ts'

interface SampleEvidence {
  readonly svn: string
  /** 64 bytes: the digest that came, and zeros. */
  readonly reportData: Uint8Array
}

const cites = 'docs/key-broker.md, sample evidence'

const structure: readonly StructureRule[] = [
  { id: 'sample.evidence.form', informs: 'hardware', cites },
]

const authenticate: readonly Check<Presented<SampleEvidence, Endorsed>>[] = [
  {
    id: 'sample.tenant.simulated',
    informs: 'hardware',
    cites,
    judge: ({ endorsement: { assurance } }) =>
      assurance === 'simulated' ||
      refuse(
        'nobody vouches for sample evidence, and this tenant takes no simulated evidence',
        'sample',
        'evidence of hardware',
      ),
  },
]

const appraise: readonly Check<Compared<SampleEvidence, Endorsed, SampleReference>>[] = [
  {
    id: 'sample.svn.expected',
    informs: 'executables',
    cites,
    compares: 'svn',
    judge({ evidence, reference: { svn } }) {
      if (svn === undefined) return notApplicable('the reference value sets no svn')
      return evidence.svn === svn || refuse(`svn is ${evidence.svn}`, evidence.svn, svn)
    },
  },
]

const form = z.strictObject({ svn: z.string().max(64), report_data: z.string().max(128) })
const REPORT_DATA_SIZE = 64
/** SHA-256: the shortest hash that the protocol may choose. */
const SHORTEST_DIGEST = 32

export const sample = defineTee<SampleEvidence, Endorsed, SampleReference>({
  name: 'sample',
  mediaTypes: [],
  structure,
  authenticate,
  appraise,
  // Nobody's bytes are ever taken for it.
  recognises: () => false,
  decode: ({ quote }) => decode(quote),
  endorse: (_, { anchors }) => ({ assurance: takesSimulated(anchors) ? 'simulated' : undefined }),
  bind: ({ reportData }) => reportData,
  claims: ({ svn }) => ({ svn }),
  claimSchema: { svn: 'string' },
  identify: () => ({ hardware: 'SAMPLE', launch: 'unmeasured', digests: [], platforms: [] }),
  inspect: ({ svn }) => ({ svn }),
  expectations: {},
  noReference: {},
  profiles: { strict: new Map() },
})

/** `quote`: the JSON object of the client, in UTF-8. */
function decode(quote: Uint8Array): Decoding<SampleEvidence> {
  const parsed = form.safeParse(jsonOf(quote))
  const digest = parsed.success ? fromBase64(parsed.data.report_data) : undefined
  if (
    !parsed.success ||
    !digest ||
    digest.length < SHORTEST_DIGEST ||
    digest.length > REPORT_DATA_SIZE
  )
    return {
      fault: {
        id: 'sample.evidence.form',
        sentence: 'sample evidence is {"svn", "report_data"}, the latter a digest in base64',
        observed: `${quote.length} bytes of another form`,
        expected: '{"svn":"1","report_data":"..."}',
      },
    }
  const reportData = new Uint8Array(REPORT_DATA_SIZE)
  reportData.set(digest)
  return { evidence: { svn: parsed.data.svn, reportData } }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}
