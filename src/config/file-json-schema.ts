/** The configuration file as a JSON Schema, each member with the sentence of its setting. */
import { z } from 'zod'
import { asObject, type Given } from './given.ts'
import { settingSays } from './settings.ts'

const CONFIG_SCHEMA_ID = 'https://vouchsafe.dev/schemas/Configuration.json'

export function fileJsonSchema(schema: z.ZodObject): unknown {
  const made: Given = described(z.toJSONSchema(schema, { io: 'input' }), '')
  return {
    ...made,
    $id: CONFIG_SCHEMA_ID,
    title: 'Configuration of vouchsafe serve',
    description: 'The file that --config or VOUCHSAFE_CONFIG names. Secrets have no place in it.',
    properties: { $schema: { type: 'string' }, ...asObject(made.properties) },
  }
}

/** `at`: path of the members, with a dot at its end. Those of a tenant are described as those of the default one. */
function described(schema: Given, at: string): Given {
  const { properties, items, ...rest } = schema
  return {
    ...rest,
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(asObject(properties)).map(([name, member]) => {
          const says = settingSays(`${at}${name}`)
          const own = described(asObject(member), `${at}${name}.`)
          return [name, says === undefined ? own : { description: says, ...own }]
        }),
      ),
    }),
    ...(items !== undefined && { items: described(asObject(items), '') }),
  }
}
