// Drives Yjs with y-websocket: its provider, its server, and LevelDB where the server keeps things.

import http from 'node:http'
import { WebSocketServer } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import { main, port } from './driver.mjs'
import { documents, metered, rooms } from './yjs_room.mjs'

const client = (url, doc, meter) => {
  const options = { connect: false, disableBc: true, WebSocketPolyfill: metered(meter) }
  const provider = new WebsocketProvider(url, 'room', doc, options)
  return {
    connect: () => provider.connect(),
    disconnect: () => provider.disconnect(),
    isSynced: () => provider.synced
  }
}

const serve = async (folder) => {
  if (folder) process.env.YPERSISTENCE = folder
  const told = console.info
  console.info = () => {}
  const { getPersistence, setupWSConnection } = await import('@y/websocket-server/utils')
  console.info = told
  const server = http.createServer()
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket, request) => setupWSConnection(socket, request))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: port(server), close: async () => { await getPersistence()?.provider.destroy() } }
}

await main({ ...documents, ...rooms(client), serve })
