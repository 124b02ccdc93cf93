// What the drivers written for Node share: the words they are called with, and how they measure.
//
// A driver is started as `node with_NAME.mjs VERB [ARGUMENT]`, finds JSON on its input and prints
// one line of JSON; `serve` prints the server's address instead, and ends when its input does.

import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'

export const SHOWN = 50

/** Counts a connection's WebSocket frames, as ours are counted: payload, header, and mask. */
export class Meter {
  up = 0
  down = 0

  watch (socket) {
    const send = socket.send.bind(socket)
    socket.send = (bytes, ...rest) => {
      this.up += frameBytes(bytes.byteLength ?? bytes.length) + 4
      return send(bytes, ...rest)
    }
    socket.on('message', (bytes) => { this.down += frameBytes(bytes.byteLength ?? bytes.length) })
    return socket
  }

  reset () { this.up = this.down = 0 }
}

const frameBytes = (size) => size + (size < 126 ? 2 : size < 65536 ? 4 : 10)

/** Runs the verb that the program was started with. */
export const main = async (verbs) => {
  const [verb, argument] = process.argv.slice(2)
  if (verb === 'serve') {
    const { url, close } = await verbs.serve(argument)
    process.stdout.write(url + '\n')
    await text(process.stdin)
    await close()
  } else {
    const found = await verbs[verb](argument, JSON.parse(readFileSync(0, 'utf8')))
    await new Promise((resolve) => process.stdout.write(JSON.stringify(found) + '\n', resolve))
  }
  process.exit(0)
}

/** Gives the seconds and the bytes of memory that some work took, and what it returned. */
export const measured = (work) => {
  const before = process.memoryUsage.rss()
  const watch = new Watch()
  const shown = work()
  const { seconds, cpu } = watch.read()
  return { ms: seconds * 1000, cpuMs: cpu * 1000, bytes: process.memoryUsage.rss() - before, shown }
}

/** Tells how many seconds have gone by, and how many of CPU all threads have used. */
export class Watch {
  started = performance.now()
  used = process.cpuUsage()

  read () {
    const seconds = (performance.now() - this.started) / 1000
    const { user, system } = process.cpuUsage(this.used)
    return { seconds, cpu: (user + system) / 1e6 }
  }
}

/** Waits until `isDone` holds, looking each time that `watch` calls its argument. */
export const until = (watch, isDone) => new Promise((resolve) => {
  const look = () => { if (isDone()) resolve() }
  watch(look)
  look()
})

/** Waits until bytes that are still under way have come, and returns what was counted. */
export const settled = async (...meters) => {
  let before = -1
  let now = 0
  while (now !== before) {
    before = now
    await new Promise((resolve) => setTimeout(resolve, 150))
    now = meters.reduce((sum, meter) => sum + meter.up + meter.down, 0)
  }
}

export const port = (server) => `ws://127.0.0.1:${server.address().port}`
