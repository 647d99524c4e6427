/**
 * The 74 known negative cases, as far as they concern SNP, TDX and SGX, and the fixtures that hold each: what another
 * verifier was once shown and believed. `test/vectors` proves each fixture's verdict; here every case is proven to be held,
 * by a fixture that is refused by the check which the case is about.
 */
import { describe, expect, test } from 'vitest'
import { fixtures } from '../vectors/fixture.ts'

type Held = readonly (readonly [fixture: string, check: string])[]

const cases: Readonly<Record<string, { readonly about: string; readonly held: Held }>> = {
  N01: {
    about: 'a report that is a byte short or long',
    held: [
      ['sev-snp/report-one-byte-short', 'snp.report.length'],
      ['sev-snp/report-one-byte-long', 'snp.report.length'],
    ],
  },
  N02: {
    about: 'report versions 0, 1, 6 and 255',
    held: ['0', '1', '6', '255'].map((version) => [
      `sev-snp/report-version-${version}`,
      'snp.report.version',
    ]),
  },
  N03: {
    about: 'reserved bits of the guest policy',
    held: [
      ['sev-snp/policy-bit-17-clear', 'snp.policy.reserved'],
      ['sev-snp/policy-bit-26-set', 'snp.policy.reserved'],
    ],
  },
  N04: {
    about: 'reserved bytes, signed and unsigned',
    held: ['4c', '18b', '1eb', '1ef', '208', '29f', 'unsigned-330', 'unsigned-49f'].map((at) => [
      `sev-snp/report-reserved-${at}`,
      'snp.report.reserved',
    ]),
  },
  N05: {
    about: 'signature algorithms 0 and 2',
    held: [
      ['sev-snp/signature-algorithm-0', 'snp.signature.algorithm'],
      ['sev-snp/signature-algorithm-2', 'snp.signature.algorithm'],
    ],
  },
  N06: {
    about: 'R or S with bytes above the 48 that P-384 has',
    held: [
      ['sev-snp/signature-r-not-canonical', 'snp.signature.canonical'],
      ['sev-snp/signature-s-not-canonical', 'snp.signature.canonical'],
    ],
  },
  N07: {
    about: 'a zero signature, and R equal to the group order',
    held: [
      ['sev-snp/signature-zero', 'snp.report.signature'],
      ['sev-snp/signature-r-is-order', 'snp.report.signature'],
    ],
  },
  N08: {
    about: 'a signed field changed after signing',
    held: [['sev-snp/signature-before-measurement-change', 'snp.report.signature']],
  },
  N09: {
    about: 'reports that say they are unsigned, and reserved signing keys',
    held: [
      ['sev-snp/signing-key-none', 'snp.signing-key.signed'],
      ...['2', '3', '4', '5', '6'].map(
        (key) => [`sev-snp/signing-key-${key}`, 'snp.signing-key.known'] as const,
      ),
    ],
  },
  N10: {
    about: 'a VCEK for a VLEK and the reverse',
    held: [
      ['sev-snp/vek-vcek-for-vlek', 'snp.vek.kind'],
      ['sev-snp/vek-vlek-for-vcek', 'snp.vek.kind'],
      ['sev-snp/chain-vcek-from-asvk', 'snp.chain.role'],
      ['sev-snp/chain-vlek-from-ask', 'snp.chain.role'],
    ],
  },
  N14: {
    about: 'an own root under AMD’s name',
    held: [['sev-snp/chain-own-root', 'snp.chain.anchored']],
  },
  N15: {
    about: 'report, certificate and root of different products',
    held: [
      ['sev-snp/product-certificate', 'snp.product.agrees'],
      ['sev-snp/product-cpuid', 'snp.product.agrees'],
    ],
  },
  N16: {
    about: 'CA flags, key usage, and algorithms that AMD does not use',
    held: [
      ['sev-snp/chain-ask-not-ca', 'snp.chain.constraints'],
      ['sev-snp/chain-ask-without-key-usage', 'snp.chain.constraints'],
      ['sev-snp/chain-vcek-pkcs1', 'snp.chain.algorithm'],
      ['sev-snp/chain-vcek-sha256', 'snp.chain.algorithm'],
      ['sev-snp/chain-too-long', 'snp.chain.anchored'],
    ],
  },
  N17: {
    about: 'certificates before and after their time',
    held: [
      ['sev-snp/chain-vcek-not-yet-valid', 'snp.chain.validity'],
      ['sev-snp/chain-vlek-expired', 'snp.chain.validity'],
    ],
  },
  N18: {
    about: 'revoked ASK, ASVK, VCEK and VLEK; stale, forged and unreadable lists',
    held: [
      ['sev-snp/ask-revoked', 'snp.ask.not-revoked'],
      ['sev-snp/asvk-revoked', 'snp.ask.not-revoked'],
      ['sev-snp/vcek-revoked', 'snp.vek.not-revoked'],
      ['sev-snp/vlek-revoked', 'snp.vek.not-revoked'],
      ['sev-snp/crl-stale', 'snp.crl.current'],
      ['sev-snp/crl-signed-by-ask', 'snp.crl.authentic'],
      ['sev-snp/crl-garbage', 'snp.crl.well-formed'],
    ],
  },
  N19: {
    about: 'a rolled-back host that reports a TCB above the certified one',
    held: [['sev-snp/vek-tcb-snp', 'snp.vek.tcb']],
  },
  N20: {
    about: 'missing, repeated and wrongly encoded AMD extensions',
    held: [
      ['sev-snp/vek-without-3-3', 'snp.vek.extensions'],
      ['sev-snp/vek-without-3-8', 'snp.vek.extensions'],
      ['sev-snp/chip-id-not-certified', 'snp.vek.chip-id'],
      ['sev-snp/certificate-duplicate-extension', 'snp.certificates.well-formed'],
      ['sev-snp/vek-component-not-minimal', 'snp.vek.extensions'],
      ['sev-snp/vek-component-negative', 'snp.vek.extensions'],
    ],
  },
  N21: {
    about: 'another chip, and a Turin id with a tail',
    held: [
      ['sev-snp/chip-id-of-another-chip', 'snp.vek.chip-id'],
      ['sev-snp/chip-id-turin-tail', 'snp.vek.chip-id'],
    ],
  },
  N22: {
    about: 'masked chips',
    held: [
      ['sev-snp/chip-id-zero', 'snp.chip-id.unmasked'],
      ['sev-snp/chip-key-masked', 'snp.chip-id.unmasked'],
    ],
  },
  N23: { about: 'debug', held: [['sev-snp/policy-debug', 'snp.policy.debug-off']] },
  N24: {
    about: 'guest policy bits, one by one',
    held: [
      ['sev-snp/policy-migration', 'snp.policy.migration-off'],
      ['sev-snp/policy-abi', 'snp.policy.abi'],
      ...[
        'smt',
        'cxl',
        'aes-256-xts',
        'rapl-disabled',
        'ciphertext-hiding',
        'page-swap-disabled',
        'single-socket',
      ].map((bit) => [`sev-snp/policy-${bit}`, `snp.policy.${bit}`] as const),
    ],
  },
  N25: {
    about: 'a platform that contradicts the guest policy',
    held: [
      ['sev-snp/smt-contradiction', 'snp.platform.smt-agrees'],
      ['sev-snp/rapl-contradiction', 'snp.platform.rapl-agrees'],
      ['sev-snp/ciphertext-hiding-contradiction', 'snp.platform.ciphertext-hiding-agrees'],
    ],
  },
  N26: {
    about: 'no alias check where one is required; bit 6 is surfaced and not refused',
    held: [
      ['sev-snp/platform-alias-check', 'snp.platform.alias-check'],
      ['sev-snp/turin-platform-bit-6', 'pass'],
    ],
  },
  N27: { about: 'VMPL 1', held: [['sev-snp/vmpl-1', 'snp.vmpl.expected']] },
  N28: {
    about: 'provisional firmware',
    held: [
      ['sev-snp/tcb-provisional', 'snp.tcb.committed'],
      ['sev-snp/firmware-provisional', 'snp.tcb.committed'],
    ],
  },
  N29: {
    about: 'TCBs out of order, and a launch TCB below the floor',
    held: [
      ['sev-snp/tcb-committed-above-current', 'snp.tcb.order'],
      ['sev-snp/tcb-reported-above-current', 'snp.tcb.order'],
      ['sev-snp/tcb-launch-below-floor', 'snp.tcb.launch-floor'],
    ],
  },
  N30: {
    about: 'one component below the floor while a higher one hides it',
    held: [['sev-snp/tcb-reported-below-floor', 'snp.tcb.reported-floor']],
  },
  N31: {
    about: 'a floor in another product’s layout',
    held: [['sev-snp/tcb-floor-of-another-product', 'snp.tcb.reported-floor']],
  },
  N32: {
    about: 'mitigations that are missing, and vectors in versions that have none',
    held: [
      ['sev-snp/mitigation-launch', 'snp.mitigation.launch'],
      ['sev-snp/report-v3-with-mitigation-vector', 'snp.report.reserved'],
    ],
  },
  N33: {
    about: 'report data that differs in its last byte',
    held: [['sev-snp/report-data-last-byte', 'snp.report-data.expected']],
  },
  N34: {
    about: 'malformed certificate tables',
    held: [
      'without-terminator',
      'offset-in-header',
      'offset-wraps',
      'two-vceks',
      'empty-entry',
      'past-the-end',
    ].map((name) => [`sev-snp/certificate-table-${name}`, 'snp.certificate-table.well-formed']),
  },
  N35: {
    about: 'ID and author keys that are not approved, and a migration agent',
    held: [
      ['sev-snp/id-key-other', 'snp.id-key.approved'],
      ['sev-snp/author-key-other', 'snp.author-key.approved'],
      ['sev-snp/author-key-not-used', 'snp.author-key.approved'],
      ['sev-snp/report-id-ma', 'snp.report-id-ma.absent'],
    ],
  },
  N36: {
    about: 'denied chips and products',
    held: [
      ['sev-snp/chip-denied', 'snp.chip.not-denied'],
      ['sev-snp/product-denied', 'snp.product.not-denied'],
    ],
  },
  N40: {
    about: 'lengths that reach beyond the quote',
    held: [
      ['tdx/quote-47-bytes', 'dcap.quote.length'],
      ['tdx/quote-ends-in-body', 'dcap.quote.length'],
      ['tdx/signature-data-2gb', 'dcap.quote.signature-data'],
      ['tdx/certification-size-wraps', 'dcap.quote.certification-data'],
    ],
  },
  N41: {
    about: 'bytes after the end that are not zero',
    held: [
      ['tdx/trailing-text', 'dcap.quote.trailing'],
      ['tdx/zero-padding-good', 'pass'],
    ],
  },
  N42: {
    about: 'unsupported versions, key types, TEE types and vendors',
    held: [
      ['tdx/quote-version-2', 'dcap.quote.version'],
      ['tdx/quote-version-6', 'dcap.quote.version'],
      ['tdx/attestation-key-p384', 'dcap.quote.attestation-key-type'],
      ['tdx/tee-type-v3', 'dcap.quote.tee-type'],
      ['tdx/quote-vendor', 'dcap.quote.vendor'],
    ],
  },
  N43: {
    about: 'outer certification data of type 5',
    held: [['tdx/certification-outer-type-5', 'dcap.quote.certification-data']],
  },
  N44: {
    about: 'body descriptors that do not fit',
    held: ['type-3-size-584', 'type-2-size-648', 'type-9'].map((name) => [
      `tdx/body-${name}`,
      'dcap.quote.body',
    ]),
  },
  N45: {
    about: 'signed bytes changed after signing',
    held: [
      ['tdx/quote-signature-header', 'dcap.quote.signature'],
      ['tdx/quote-signature-body', 'dcap.quote.signature'],
      ['tdx/qe-report-stranger', 'dcap.qe-report.signature'],
      ['tdx/qe-report-other-key', 'dcap.qe-report.binding'],
    ],
  },
  N46: {
    about: 'QE report data beyond the hash',
    held: [['tdx/qe-report-padding', 'dcap.qe-report.padding']],
  },
  N48: {
    about: 'a look-alike root',
    held: [['tdx/pck-chain-look-alike-root', 'dcap.pck-chain.anchored']],
  },
  N49: {
    about: 'lists of another issuer, missing, garbage, forged and stale',
    held: [
      ['tdx/crl-pck-of-processor-ca', 'dcap.crl.pck.current'],
      ['tdx/crl-pck-missing', 'dcap.crl.pck.current'],
      ['tdx/crl-empty-bytes', 'dcap.crl.well-formed'],
      ['tdx/crl-garbage', 'dcap.crl.well-formed'],
      ['tdx/crl-pck-stranger', 'dcap.crl.pck.authentic'],
      ['tdx/crl-pck-stale', 'dcap.crl.pck.current'],
      ['tdx/crl-root-stale', 'dcap.crl.root.current'],
    ],
  },
  N50: {
    about: 'a revoked PCK, intermediate and TCB signer',
    held: [
      ['tdx/pck-revoked', 'dcap.pck.not-revoked'],
      ['tdx/pck-ca-revoked', 'dcap.pck-ca.not-revoked'],
      ['tdx/tcb-info-signer-revoked', 'dcap.tcb-info.signer-not-revoked'],
    ],
  },
  N51: {
    about: 'TCB info of another platform, TEE, version or PCE',
    held: [
      ['tdx/tcb-info-of-another-fmspc', 'dcap.tcb-info.matches'],
      ['tdx/tcb-info-of-sgx', 'dcap.tcb-info.matches'],
      ['tdx/tcb-info-version', 'dcap.tcb-info.well-formed'],
      ['tdx/tcb-info-of-another-pce', 'dcap.tcb-info.matches'],
    ],
  },
  N52: {
    about: 'the QE identity of another enclave, and an edited one',
    held: [
      ['tdx/qe-identity-of-sgx', 'dcap.qe-identity.matches'],
      ['tdx/qe-identity-text-edited', 'dcap.qe-identity.signature'],
      ['tdx/qe-signer', 'dcap.qe.identity'],
    ],
  },
  N53: {
    about: 'TCB info edited or serialised again',
    held: [
      ['tdx/tcb-info-text-edited', 'dcap.tcb-info.signature'],
      ['tdx/tcb-info-reserialised', 'dcap.tcb-info.signature'],
    ],
  },
  N54: {
    about: 'a TCB signer of the wrong role or past its time',
    held: [
      ['tdx/tcb-info-signed-by-pck', 'dcap.tcb-info.signer'],
      ['tdx/tcb-info-signer-expired', 'dcap.tcb-info.issuer-chain.validity'],
    ],
  },
  N55: {
    about: 'collateral and PCK before and after their time',
    held: [
      ['tdx/tcb-info-stale', 'dcap.tcb-info.current'],
      ['tdx/tcb-info-tomorrow', 'dcap.tcb-info.current'],
      ['tdx/pck-not-yet-valid', 'dcap.pck-chain.validity'],
    ],
  },
  N56: {
    about: 'an old platform under a new module',
    held: [['tdx/tcb-out-of-date', 'dcap.tcb.status']],
  },
  N57: {
    about: 'components 0 and 1 are the module’s from version 1 on',
    held: [['tdx/tcb-components-0-and-1-good', 'pass']],
  },
  N58: {
    about: 'component lists of the wrong length, levels out of order',
    held: [
      ['tdx/tcb-info-fifteen-tdx-components', 'dcap.tcb-info.well-formed'],
      ['tdx/tcb-info-no-sgx-components', 'dcap.tcb-info.well-formed'],
      ['tdx/tcb-info-levels-unsorted', 'dcap.tcb-info.well-formed'],
    ],
  },
  N59: {
    about: 'module identities: letter case, unknown version, SVN below all',
    held: [
      ['tdx/module-id-lower-case-good', 'pass'],
      ['tdx/module-version-unknown', 'tdx.module.identity'],
      ['tdx/tcb-module-below-all', 'dcap.tcb.level-found'],
    ],
  },
  N60: {
    about: 'a SEAM module of another signer or with other attributes',
    held: [
      ['tdx/seam-signer', 'tdx.seam.signer'],
      ['tdx/seam-attributes', 'tdx.seam.attributes'],
    ],
  },
  N61: {
    about: 'convergence with the QE',
    held: [
      ['tdx/tcb-qe-out-of-date', 'dcap.tcb.status'],
      ['tdx/tcb-qe-revoked', 'dcap.tcb.not-revoked'],
      ['tdx/tcb-out-of-date-configuration', 'dcap.tcb.status'],
    ],
  },
  N62: {
    about: 'a relaunch is advised',
    held: [['tdx/tcb-relaunch-advised', 'dcap.tcb.status']],
  },
  N63: {
    about: 'debug in TDs and enclaves',
    held: [
      ['tdx/td-debug', 'tdx.attributes.debug-off'],
      ['sgx/enclave-debug', 'sgx.attributes.debug-off'],
    ],
  },
  N64: {
    about: 'attributes that a profile allows',
    held: [
      ['tdx/td-sept-ve', 'tdx.attributes.sept-ve-disable'],
      ['tdx/td-pks', 'tdx.attributes.pks'],
      ['tdx/td-perfmon', 'tdx.attributes.perfmon'],
      ['tdx/azure-profile-good', 'pass'],
    ],
  },
  N65: {
    about: 'a service TD that nobody approved',
    held: [
      ['tdx/service-td', 'tdx.service-td.approved'],
      ['tdx/alibaba-profile-good', 'pass'],
    ],
  },
  N66: {
    about: 'an evaluation number below the floor',
    held: [['tdx/evaluation-number', 'dcap.tcb.evaluation-number']],
  },
  N67: {
    about: 'event logs that were changed',
    held: ['digest', 'dropped', 'reordered', 'two-heads', 'digest-count'].map((name) => [
      `tdx/event-log-${name}`,
      'tdx.event-log.replays',
    ]),
  },
  N68: {
    about: 'a register that the log does not explain',
    held: [['tdx/event-log-unreplayed', 'tdx.event-log.replays']],
  },
}

describe.each(Object.entries(cases))('%s', (_, { about, held }) => {
  test.each(held)(`${about}: %s is about %s`, (name, check) => {
    const fixture = fixtures.find((each) => each.name === `${name}.vector`)
    expect(fixture?.vector.header.expect).toBe(check)
  })
})
