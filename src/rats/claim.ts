/** The trustworthiness claims of AR4SI (draft-ietf-rats-ar4si, section 2.3): what a check can speak about. */
export const claimNames = [
  'instance-identity',
  'configuration',
  'executables',
  'file-system',
  'hardware',
  'runtime-opaque',
  'storage-opaque',
  'sourced-data',
] as const
export type Claim = (typeof claimNames)[number]
