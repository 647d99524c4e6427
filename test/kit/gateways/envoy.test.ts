/** Envoy with the configuration of docs/relying-party.md, where this machine has it: .ci/run fetches it (test/tools/requirements.txt). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gatewayTests, recipe } from './gateway-scene.ts'

gatewayTests({
  kind: 'envoy',
  program: 'envoy',
  probe: ['--version'],
  presence: 'optional',
  text: recipe('Envoy', 'yaml'),
  command(text, folder) {
    const file = join(folder, 'envoy.yaml')
    writeFileSync(file, text)
    return ['envoy', '-c', file, '--use-dynamic-base-id', '--concurrency', '1', '-l', 'warning']
  },
})
