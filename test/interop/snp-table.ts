/** How google/go-sev-guest v0.15.0 judges the SNP fixtures. */
import { accepts, refuses, type VerdictTable } from './verdict-table.ts'

const untrusted = /could not be verified by any trusted roots/

/** It knows the roots of Turin and reads none of its certificates; the recorded VCEK of a real Turin gets the same answer. */
const turin = refuses(/not an AMD KDS OID: 1\.3\.6\.1\.4\.1\.3704\.1\.3\.9/, 'cannot read Turin')

const datelessList = accepts('does not look at the dates of the list')
const askOnly = accepts('compares nothing but the serial number of the ASK with the list')
const oneList = accepts('takes the one list that is published')
const fmsOnly = accepts('ignores the product in the VEK when the report names the CPU')
const unasked = accepts('has no such check')
const masked = accepts('lets the host mask the chip')

export const snpTable: VerdictTable = {
  words: {
    'snp.report.length': /array size is 0x49f/,
    'snp.report.version': /report version is|mbz range \[0x188/,
    'snp.report.reserved': /mbz range \[0x/,
    'snp.signature.canonical': /report signature verification error/,
    'snp.signature.algorithm': /unknown signature algorithm/,
    'snp.policy.reserved': /malformed guest policy/,
    'snp.signing-key.known': /signing_key values 2-6 are reserved|mbz range data\[0x48/,
    'snp.signing-key.signed': /missing None certificate/,
    'snp.certificate-table.well-formed': /cert table|malformed certificate|panic: .*out of range/,
    'snp.certificates.well-formed': /malformed certificate|contains duplicate extension/,
    'snp.vek.present': /missing VCEK certificate/,
    'snp.vek.kind': /missing V[CL]EK certificate/,
    'snp.chain.anchored': untrusted,
    'snp.chain.algorithm': /signature algorithm is \S+, expected SHA-384 with RSASSA-PSS/,
    'snp.chain.signature': /crypto\/rsa: verification error/,
    'snp.chain.constraints':
      /parent certificate cannot sign|unhandled critical extension|OID: 2\.5\.29\.19/,
    'snp.chain.validity': /has expired or is not yet valid/,
    'snp.chain.role': /issuer common name \S+ not expected/,
    'snp.vek.extensions':
      /no extension for field|isn't a uint8|minimally-encoded|leftover bytes|as an octet string/,
    'snp.vek.key': /curve is P-256, expected P-384/,
    'snp.product.agrees': untrusted,
    'snp.crl.well-formed': /unsupported crl version/,
    'snp.crl.authentic': /CRL is not signed by ARK/,
    'snp.crl.current': /could not fetch product CRL|CRL is not signed by ARK/,
    'snp.ask.not-revoked': /ASK was revoked/,
    'snp.report.signature': /report signature verification error/,
    'snp.vek.tcb': /REPORTED_TCB 0x\w+ does not match the TCB of the V\[CL\]EK certificate/,
    'snp.vek.chip-id': /CHIP_ID \w+ is not the same as the VCEK|missing HWID extension/,
    'snp.policy.debug-off': /unauthorized debug/,
    'snp.policy.migration-off': /unauthorized migration agent/,
    'snp.vmpl.expected': /report VMPL 1 is not 0/,
    'snp.tcb.order': /COMMITTED_TCB 0x\w+ does not match|CURRENT_TCB .* is lower than/,
    'snp.tcb.committed': /committed build number|COMMITTED_TCB 0x\w+ does not match/,
  },
  differences: {
    'turin-v5-good': turin,
    'turin-vlek-good': turin,
    'turin-platform-bit-6': turin,
    'product-turin-v2': turin,
    'vek-tcb-turin-fmc': turin,
    'chip-id-turin-tail': turin,
    'genoa-zen4c-good': refuses(untrusted, 'of Genoa, knows CPUID model 0x11 only'),

    'report-one-byte-long': accepts('reads the first 1184 bytes of whatever it gets'),
    'report-v3-with-mitigation-vector': accepts('reads mitigation vectors in every version'),
    'certificate-table-two-vceks': accepts('leaves it to its caller which of the two to use'),
    'chain-ask-sha256': accepts('prescribes an algorithm for the VEK only'),
    'vek-hwid-wrapped': accepts('reads a hardware id with or without a tag'),
    'vek-struct-version': accepts('does not look at the structure version'),
    'vek-product-unknown': fmsOnly,
    'product-certificate': fmsOnly,
    'chip-id-zero': masked,
    'chip-key-masked': masked,

    'crl-garbage': oneList,
    'ask-revoked-in-older-list': oneList,
    'crl-delta': accepts('ignores extensions of the list, critical ones too'),
    'crl-without-next-update': datelessList,
    'crl-stale': datelessList,
    'crl-from-the-future': datelessList,
    'asvk-revoked': askOnly,
    'vcek-revoked': askOnly,
    'vlek-revoked': askOnly,

    'report-id-ma': unasked,
    'smt-contradiction': unasked,
    'rapl-contradiction': unasked,
    'ciphertext-hiding-contradiction': unasked,
    'tcb-launch-above-current': accepts('decided against it, for guests that were migrated'),
  },
}
