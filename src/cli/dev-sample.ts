/** The policy repository that `vouchsafe dev` makes: one approved release, and a page that says what may be tried. */

export interface SampleRelease {
  readonly environment: string
  readonly agent: string
  /** 48 bytes in hex. */
  readonly measurement: string
  readonly at: Date
}

export function samplePolicy(release: SampleRelease): Readonly<Record<string, string>> {
  return {
    [`agents/${release.environment}/${release.agent}.yaml`]: manifestText(release),
    'README.md': readme,
  }
}

function manifestText({ agent, environment, measurement, at }: SampleRelease): string {
  const later = new Date(at.getTime() + 90 * 24 * 3600_000)
  return `# Evidence matches one entry of referenceValues as a whole, or it is refused.
apiVersion: vouchsafe.dev/v1alpha1
kind: AgentRelease
metadata:
  name: ${agent}
  environment: ${environment}
  version: "1.0.0"
  generation: 1
  notBefore: ${instant(new Date(at.getTime() - 24 * 3600_000))}
  notAfter: ${instant(later)}
spec:
  referenceValues:
    - id: genoa
      tee: sev-snp
      products: [Genoa]
      measurement: sha384:${measurement}
      vmpl: 0
      minimumTcb: {bootloader: 10, snp: 25, microcode: 84}
      guestPolicy: {smt: true}
  release:
    - audience: kms.example
      ttl: 240s
`
}

function instant(at: Date): string {
  return at.toISOString().replace(/\.\d+Z$/, 'Z')
}

const readme = `# Sample policy

Made by \`vouchsafe dev\` and made again at its next start. The running service reads HEAD every few seconds: change a digest
in agents/, commit, and \`GET /readyz\` and the next attestation follow. A manifest that cannot be read keeps the last good
commit in force.
`
