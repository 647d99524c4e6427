/** Caddy with the configuration of docs/relying-party.md. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gatewayTests, recipe } from './gateway-scene.ts'

gatewayTests({
  kind: 'caddy',
  program: 'caddy',
  probe: ['version'],
  presence: 'required',
  text: recipe('Caddy', 'caddyfile'),
  command(text, folder) {
    const file = join(folder, 'Caddyfile')
    writeFileSync(file, `{\n\tadmin off\n}\n${text}`)
    return ['caddy', 'run', '--adapter', 'caddyfile', '--config', file]
  },
})
