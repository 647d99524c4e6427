/** `npm run docs`: writes the pages that are made from values in the code. A test says when they are not current. */
import { writeFileSync } from 'node:fs'
import { generatedPages } from './pages.ts'

for (const [name, text] of generatedPages) {
  writeFileSync(new URL(name, import.meta.url), text)
  console.log(`docs/${name}`)
}
