/**
 * What a cloud's machines really look like where it differs from what we ask of everybody: waivers with the evidence that
 * taught us. Data and not code; under `strict` each of these machines is refused.
 */
import type { Waivers } from '../../rats/check.ts'

const strict: Waivers = new Map()

export const tdxProfiles: Readonly<Record<string, Waivers>> = {
  strict,
  /** AWS offers no TDX. */
  aws: strict,
  azure: new Map([
    ['tdx.attributes.sept-ve-disable', 'Azure TDs under its paravisor have TDATTRIBUTES 0'],
  ]),
  gcp: new Map([
    ['tdx.attributes.sept-ve-disable', 'Google TDs of 2022 (E4 stepping) left it clear'],
    ['tdx.attributes.pks', 'Google TDs of 2022 (E4 stepping) enabled supervisor protection keys'],
  ]),
  alibaba: new Map([
    ['tdx.service-td.approved', 'Alibaba binds a service TD of its own (MRSERVICETD)'],
  ]),
}

export const sgxProfiles: Readonly<Record<string, Waivers>> = {
  strict,
  aws: strict,
  azure: strict,
  gcp: strict,
  alibaba: strict,
}
