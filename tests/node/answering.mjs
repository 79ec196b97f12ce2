// One JSON object a line in, one a line out, until the input ends.

import { createInterface } from 'node:readline'

/** Answer each `{command, ...request}` with `{result}` of the function of that name, or with `{error}`. */
export async function answer (commands) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...request } = JSON.parse(line)
    let reply
    try {
      reply = { result: commands[command](request) }
    } catch (error) {
      reply = { error: error.stack }
    }
    process.stdout.write(JSON.stringify(reply) + '\n')
  }
}
