/** The four rules of path validation and the dates, as checks: every vendor chain is judged by the same five questions. */
import { holdsAt } from '../pki/interval.ts'
import type { PathResult, PathRule } from '../pki/path.ts'
import { type Check, refuse } from './check.ts'

export interface PathChecksOf<S> {
  /** `snp.chain` gives `snp.chain.anchored` and so on. */
  readonly prefix: string
  readonly cites: string
  readonly path: (subject: S) => PathResult
}

export function pathChecks<S extends { readonly at: Date }>({
  prefix,
  cites,
  path,
}: PathChecksOf<S>): readonly Check<S>[] {
  const rule = (name: PathRule): Check<S> => ({
    id: `${prefix}.${name}`,
    informs: 'hardware',
    cites,
    judge(subject) {
      const { faults } = path(subject)
      const fault = faults.size === 0 ? undefined : faults.get(name)
      return fault === undefined || refuse(fault.sentence, fault.observed, fault.expected)
    },
  })
  return [
    rule('anchored'),
    rule('algorithm'),
    rule('signature'),
    rule('constraints'),
    {
      id: `${prefix}.validity`,
      informs: 'hardware',
      cites: 'RFC 5280 section 6.1.3 (a)(2)',
      judge: (subject) => judgeValidity(path(subject), subject.at),
    },
  ]
}

function judgeValidity({ certificates, validity }: PathResult, at: Date) {
  if (holdsAt(validity, at)) return true
  const outside = certificates.find((certificate) => !holdsAt(certificate, at))
  const name = outside?.commonName ?? 'the chain'
  const early = outside && at < outside.notBefore
  return refuse(
    `${name} is ${early ? 'not yet valid' : 'expired'} at ${at.toISOString()}`,
    at.toISOString(),
    outside
      ? `${outside.notBefore.toISOString()} to ${outside.notAfter.toISOString()}`
      : 'a time at which every certificate of the chain is valid',
  )
}
