/** `npm run docs`: writes the pages that are made from values in the code. A test says when they are not current. */
import { writeFileSync } from 'node:fs'
import { clientContract } from './client-contract.ts'
import { generatedPages } from './pages.ts'

for (const [name, text] of generatedPages) {
  writeFileSync(new URL(name, import.meta.url), text)
  console.log(`docs/${name}`)
}

writeFileSync(new URL('../kit/client/contract.ts', import.meta.url), clientContract())
console.log('kit/client/contract.ts')
