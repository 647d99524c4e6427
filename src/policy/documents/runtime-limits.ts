/** What does a manifest's section `runtime` say, with the lists that it names? */
import type { MeasurementList, ReferenceValue, RuntimeLimits } from '../../rats/release.ts'
import { listFile, readMeasurementList } from './measurement-list.ts'
import { expectAt } from './policy-document.ts'
import type { RuntimeSection } from './runtime-schema.ts'
import type { Mistake, YamlDocument } from './yaml-document.ts'

export interface RuntimeReading {
  readonly limits: RuntimeLimits | undefined
  readonly mistakes: readonly Mistake[]
}

interface RuntimeContext {
  readonly document: YamlDocument
  readonly referenceValues: readonly ReferenceValue[]
  readonly fileAt: (path: string) => Uint8Array | undefined
}

export function readRuntime(
  section: RuntimeSection | undefined,
  { document, referenceValues, fileAt }: RuntimeContext,
): RuntimeReading {
  if (!section) return { limits: undefined, mistakes: [] }
  const mistakes: Mistake[] = [...contradicted(section, referenceValues, document)]
  const lists: MeasurementList[] = []
  for (const [index, digest] of section.lists.entries()) {
    const reading = listNamed(digest, fileAt)
    if ('list' in reading) lists.push(reading.list)
    else {
      const at = ['spec', 'runtime', 'lists', index]
      mistakes.push(...expectAt(document, at, { holds: false, message: reading.mistake }))
    }
  }
  const { session, attestEvery, heartbeatEvery, measurements, state, ...limits } = section
  return {
    mistakes,
    limits: {
      ...limits,
      isSessionRequired: session === 'required',
      attestEverySeconds: attestEvery,
      heartbeatSeconds: heartbeatEvery,
      lists,
      measurements: measurements.map(({ kind, path, digest }) => ({ kind, path, digest })),
      state: state.map(({ path, digests, reason }) => ({
        path,
        digests: digests ?? 'any',
        reason,
      })),
    },
  }
}

function listNamed(
  digest: string,
  fileAt: RuntimeContext['fileAt'],
): { readonly list: MeasurementList } | { readonly mistake: string } {
  const file = listFile(digest.slice('sha256:'.length))
  const bytes = fileAt(file)
  if (!bytes)
    return {
      mistake: `there is no file ${file} in this commit: make it with vouchsafe measure tree, and commit it with this manifest`,
    }
  const reading = readMeasurementList(file, bytes)
  if ('list' in reading) return reading
  const [first] = reading.mistakes
  return { mistake: `${file} is no measurement list, in line ${first?.line}: ${first?.message}` }
}

/** What extends RTMR3 while it runs has no value that a manifest could know. */
function contradicted(
  { watch }: RuntimeSection,
  referenceValues: readonly ReferenceValue[],
  document: YamlDocument,
): readonly Mistake[] {
  if (!watch.includes('rtmr3')) return []
  return referenceValues.flatMap(({ tee, reference }, index) =>
    expectAt(document, ['spec', 'referenceValues', index, 'rtmr3'], {
      holds: tee !== 'tdx' || reference.rtmr3 === undefined,
      message:
        'is what spec.runtime.watch has the running agent extend, so no value of it can be expected: leave one of them out',
    }),
  )
}
