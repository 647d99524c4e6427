/** Does the hardware's own register hold exactly the history that was told? */
import { type Check, notApplicable, refuse } from '../../rats/check.ts'
import { limitsOf, type RuntimeSubject, watchesMode } from './runtime-subject.ts'

const NO_QUOTE = notApplicable('no quote came with this message')
const UNUSED = notApplicable(
  'the collector extends no register, and the manifest does not ask for it',
)

export const registerChecks: readonly Check<RuntimeSubject>[] = [
  {
    id: 'runtime.rtmr3.replayed',
    informs: 'runtime-opaque',
    cites: 'docs/design.md, section 8; Intel TDX Module ABI (348551), TDG.MR.RTMR.EXTEND',
    judge(subject) {
      const { register, release } = subject
      const isUsed = watchesMode(subject, 'rtmr3') || limitsOf(subject).watch.includes('rtmr3')
      if (!isUsed) return UNUSED
      if (!register) return NO_QUOTE
      const { quoted, replayed } = register
      if (quoted === undefined)
        return refuse(
          `this hardware has no register for measurements, which the collector or ${release.manifest.file} counts on: take rtmr3 out of both`,
          null,
          replayed,
        )
      return (
        quoted === replayed ||
        refuse(
          'RTMR3 as quoted is not what the measurements of this boot make it: some were left out, added or reordered, or something else extends it. Start the machine again',
          quoted,
          replayed,
        )
      )
    },
  },
]
