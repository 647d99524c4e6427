/**
 * What may stand under `spec.referenceValues`: per TEE, one tuple that evidence must match as a whole. Field names are those
 * of rats/reference-values.ts. What identifies the code (a measurement) is required everywhere: a tuple without it would
 * approve whatever runs on genuine hardware. `reportData` is absent on purpose: the binding sets it.
 */
import { z } from 'zod'
import type { SgxReference, SnpReference, TdxReference } from '../rats/reference-values.ts'
import { bareHex, bytes, digest, maskedBytes } from './byte-strings.ts'

export const identifier = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be 1 to 63 lower-case letters, digits and inner hyphens',
  )

const whole = (most: number) => z.int().min(0).max(most)
/** An empty list would say "none is allowed", which nobody means; absence says "no expectation". */
const some = <T extends z.ZodType>(item: T) =>
  z.array(item).min(1, 'must not be empty: leave it out').max(4096)

const product = z.enum(['Milan', 'Genoa', 'Turin'])
const component = whole(255).exactOptional()
const bit = z.boolean().exactOptional()

const snp = z.strictObject({
  id: identifier,
  tee: z.literal('sev-snp'),
  measurement: digest(48),
  hostData: bytes(32).exactOptional(),
  familyId: bytes(16).exactOptional(),
  imageId: bytes(16).exactOptional(),
  minimumGuestSvn: whole(0xffff_ffff).exactOptional(),
  idKeyDigests: some(digest(48)).exactOptional(),
  authorKeyDigests: some(digest(48)).exactOptional(),
  vmpl: whole(3).exactOptional(),
  minimumTcb: z
    .strictObject({
      fmc: component,
      bootloader: component,
      tee: component,
      snp: component,
      microcode: component,
    })
    .exactOptional(),
  minimumFirmware: z
    .strictObject({ major: whole(255), minor: whole(255), build: whole(255) })
    .exactOptional(),
  minimumAbi: z.strictObject({ major: whole(255), minor: whole(255) }).exactOptional(),
  guestPolicy: z
    .strictObject({
      smt: bit,
      singleSocket: bit,
      cxl: bit,
      aes256Xts: bit,
      raplDisabled: bit,
      ciphertextHiding: bit,
      pageSwapDisabled: bit,
    })
    .exactOptional(),
  platformInfo: z
    .strictObject({
      smt: bit,
      tsme: bit,
      ecc: bit,
      raplDisabled: bit,
      ciphertextHiding: bit,
      aliasCheck: bit,
      tio: bit,
    })
    .exactOptional(),
  /** LAUNCH_MIT_VECTOR and CURRENT_MIT_VECTOR, 64 bits, most significant digit first. */
  mitigations: z
    .string()
    .regex(/^0x[0-9a-f]{1,16}$/, 'must be a string such as "0x3": 64 bits in hex')
    .transform(BigInt)
    .exactOptional(),
  chipIds: some(bytes(64)).exactOptional(),
  deniedChipIds: some(bytes(64)).exactOptional(),
  products: some(product).exactOptional(),
  deniedProducts: some(product).exactOptional(),
})

/** `Revoked` and `NotSupported` are missing on purpose: no policy can accept them. */
const tcbStatus = z.enum([
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'TDRelaunchAdvised',
  'TDRelaunchAdvisedConfigurationNeeded',
])

const dcap = {
  tcbStatuses: some(tcbStatus).exactOptional(),
  minimumTcbEvaluationDataNumber: whole(0xffff_ffff).exactOptional(),
  deniedFmspcs: some(bareHex(6)).exactOptional(),
  platforms: some(bytes(16)).exactOptional(),
  deniedPlatforms: some(bytes(16)).exactOptional(),
}

const tdx = z.strictObject({
  id: identifier,
  tee: z.literal('tdx'),
  /** MRTD covers the firmware alone; what it boots is in RTMR 1 and 2, and the machine's shape in RTMR 0. */
  mrTd: digest(48),
  rtmr0: digest(48),
  rtmr1: digest(48),
  rtmr2: digest(48),
  rtmr3: digest(48).exactOptional(),
  mrConfigId: bytes(48).exactOptional(),
  mrOwner: bytes(48).exactOptional(),
  mrOwnerConfig: bytes(48).exactOptional(),
  mrSeam: digest(48).exactOptional(),
  tdAttributes: maskedBytes(8).exactOptional(),
  xfam: maskedBytes(8).exactOptional(),
  serviceTds: some(bytes(48)).exactOptional(),
  ...dcap,
})

const sgx = z
  .strictObject({
    id: identifier,
    tee: z.literal('sgx'),
    mrEnclave: digest(32).exactOptional(),
    mrSigner: digest(32).exactOptional(),
    configId: bytes(64).exactOptional(),
    isvProdId: whole(0xffff).exactOptional(),
    minimumIsvSvn: whole(0xffff).exactOptional(),
    attributes: maskedBytes(16).exactOptional(),
    ...dcap,
  })
  .refine(
    ({ mrEnclave, mrSigner, isvProdId, minimumIsvSvn }) =>
      mrEnclave !== undefined ||
      (mrSigner !== undefined && isvProdId !== undefined && minimumIsvSvn !== undefined),
    'must name mrEnclave, or mrSigner together with isvProdId and minimumIsvSvn: a signer alone approves all that it ever signed',
  )

/** Parses to tag, id and the reference itself, whose type the compiler holds against rats/reference-values.ts. */
export const referenceValueSchema = z
  .discriminatedUnion('tee', [snp, tdx, sgx], {
    error: ({ code }) => (code === 'invalid_union' ? 'tee must be sev-snp, tdx or sgx' : undefined),
  })
  .transform((entry) => {
    switch (entry.tee) {
      case 'sev-snp': {
        const { id, tee, ...reference } = entry
        return { id, tee, reference: reference satisfies SnpReference }
      }
      case 'tdx': {
        const { id, tee, ...reference } = entry
        return { id, tee, reference: reference satisfies TdxReference }
      }
      case 'sgx': {
        const { id, tee, ...reference } = entry
        return { id, tee, reference: reference satisfies SgxReference }
      }
    }
  })
