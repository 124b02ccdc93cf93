// Drives Hocuspocus: its provider, and its server, which keeps the document by a hook in a file.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { Server } from '@hocuspocus/server'
import * as Y from 'yjs'
import { main } from './driver.mjs'
import { metered, rooms } from './yjs_room.mjs'

const client = (url, document, meter) => {
  const socket = new HocuspocusProviderWebsocket({
    url, autoConnect: false, WebSocketPolyfill: metered(meter)
  })
  const provider = new HocuspocusProvider({ websocketProvider: socket, name: 'room', document })
  provider.attach()
  return {
    connect: () => socket.connect(),
    disconnect: () => socket.disconnect(),
    isSynced: () => provider.isSynced
  }
}

const serve = async (folder) => {
  const path = folder && join(folder, 'room')
  const kept = path && {
    onLoadDocument: async ({ document }) => {
      if (existsSync(path)) Y.applyUpdate(document, readFileSync(path))
    },
    onStoreDocument: async ({ document }) => writeFileSync(path, Y.encodeStateAsUpdate(document))
  }
  const server = new Server({ port: 0, address: '127.0.0.1', quiet: true, ...kept })
  await server.listen()
  return { url: `ws://127.0.0.1:${server.address.port}`, close: () => server.destroy() }
}

await main({ ...rooms(client), serve })
