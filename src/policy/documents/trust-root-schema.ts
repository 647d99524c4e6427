/** What may stand in trust/root.yaml. */
import { z } from 'zod'
import {
  apiVersion,
  duration,
  generation,
  identifier,
  line,
  principal,
  unique,
} from './document-fields.ts'
import { isPathPattern } from './path-pattern.ts'

const principals = unique(z.array(principal).min(1).max(256)).describe(
  'Who. Each must have a key in trust/allowed_signers or trust/openpgp.',
)

const paths = unique(
  z
    .array(
      z
        .string()
        .refine(
          isPathPattern,
          'must be a path such as agents/prod/**: * stands for part of one name, ** for any folders',
        ),
    )
    .min(1)
    .max(256),
).describe('Paths; * stands for part of one name, ** as a whole name for any number of folders.')

const terms = {
  threshold: z.int().min(1).describe('How many distinct principals must agree.'),
  principals,
  excludeAuthor: z
    .boolean()
    .default(false)
    .describe('Whether the signer of the commit may not approve it.'),
}

/** More than there are could never be reached, and would lock everybody out for good. */
const isReachable = {
  path: ['threshold'],
  message: 'must not be more than there are principals: nothing could ever be approved',
}
interface Terms {
  readonly threshold: number
  readonly principals: readonly string[]
}
const reaches = ({ threshold, principals: { length } }: Terms) => threshold <= length

const threshold = z.strictObject(terms).refine(reaches, isReachable)

export const trustRootSchema = z
  .strictObject({
    apiVersion,
    kind: z.literal('TrustRoot'),
    metadata: z.strictObject({
      repository: line(255).describe(
        'Name of this repository in every approval. One for another repository counts for nothing here.',
      ),
      generation: generation.describe('Must rise with every change to anything under trust/.'),
    }),
    spec: z.strictObject({
      roles: unique(
        z
          .array(z.strictObject({ name: identifier, principals, paths }))
          .min(1)
          .max(64),
        'name',
      ).describe('Who may change which files.'),
      approvals: z
        .strictObject({
          trust: threshold.describe('For changes under trust/, and for a reset.'),
          rules: threshold.describe('For changes under rules/.'),
          unrevoke: threshold.describe('For changes by which an entry leaves revoked/.'),
          paths: z
            .array(z.strictObject({ paths, ...terms }).refine(reaches, isReachable))
            .max(64)
            .default([])
            .describe('For changes of further files. Every entry that matches must be met.'),
        })
        .describe('How many must agree.'),
      heartbeat: z
        .strictObject({
          principals,
          grace: duration({ least: '1m', most: '365d' }).describe(
            'How long after heartbeat.yaml has run out releases go on.',
          ),
          longest: duration({ least: '1m', most: '365d' }).describe(
            'How far ahead heartbeat.yaml may promise.',
          ),
        })
        .describe('When this is present, heartbeat.yaml must be there and be renewed in time.')
        .exactOptional(),
    }),
  })
  .meta({
    title: 'TrustRoot',
    description: 'trust/root.yaml: who may change what here, and how many must agree.',
  })
