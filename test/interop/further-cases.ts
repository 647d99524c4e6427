/** What no committed fixture has, since it would add nothing there, and is worth another verifier's opinion. */
import { simulatedSnp } from '../../enclave/simulator/agent.ts'
import type { FixtureCase, FixtureScene } from '../../fixtures/cases/case.ts'
import { tdxScene } from '../../fixtures/cases/dcap-machines.ts'
import {
  chance,
  genoa,
  ISSUED,
  milan,
  type SnpScene,
  snpScene,
  underVlek,
} from '../../fixtures/cases/snp-machines.ts'

const version5 = { version: 5, launchMitVector: 1n, currentMitVector: 1n } as const

function snp(expect: string, name: string, comment: string, scene: () => SnpScene): FixtureCase {
  return { name, expect, comment, build: () => snpScene(scene()) }
}

export const furtherSnp: readonly FixtureCase[] = [
  snp('pass', 'milan-v5-good', 'a healthy Milan guest, report version 5', () => ({
    report: version5,
  })),
  snp('pass', 'genoa-v5-good', 'a healthy Genoa guest, report version 5', () => ({
    machine: genoa,
    report: version5,
  })),
  snp('pass', 'genoa-vlek-good', 'a VLEK on Genoa', () => underVlek(genoa)),
  snp('snp.chain.validity', 'vcek-expired', 'one second after the VCEK expired', () => ({
    at: new Date('2033-01-01T00:00:01Z'),
    crls: [milan.pki.crl({ nextUpdate: new Date('2034-01-01T00:00:00Z') })],
  })),
  {
    name: 'agent-good',
    expect: 'pass',
    comment: 'an agent as vouchsafe dev runs it',
    build: agent,
  },
]

/** Judged as it is, where all others are judged with their FMSPC in lower case. */
export const upperCase: FixtureCase = {
  name: 'fmspc-upper-case-good',
  expect: 'pass',
  comment: 'a healthy TD, the FMSPC in its TCB info in upper case, as Intel writes it',
  build: () => tdxScene({}),
}

function agent(): FixtureScene {
  const platform = simulatedSnp({ chance, issued: ISSUED })
  const reportData = chance.bytes('report data', 64)
  const measurement = chance.bytes('measurement', 48)
  return {
    tee: platform.tee,
    header: { at: ISSUED },
    evidence: platform.attest({ reportData, measurement }),
    parts: platform.endorsements,
    anchors: platform.anchors,
  }
}
