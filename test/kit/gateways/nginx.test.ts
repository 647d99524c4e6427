/** nginx with the configuration of docs/relying-party.md. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gatewayTests, recipe } from './gateway-scene.ts'

gatewayTests({
  kind: 'nginx',
  program: 'nginx',
  probe: ['-v'],
  presence: 'required',
  text: recipe('nginx', 'nginx'),
  command(text, folder) {
    const file = join(folder, 'nginx.conf')
    const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${folder}/${name};`)
      .join('\n')
    writeFileSync(
      file,
      `daemon off; pid ${folder}/pid; error_log stderr; events {}\nhttp { access_log off; ${places}\n${text}}`,
    )
    return ['nginx', '-e', 'stderr', '-p', folder, '-c', file]
  },
})
