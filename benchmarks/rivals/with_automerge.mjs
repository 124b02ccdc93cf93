// Drives automerge-repo: repos with the WebSocket adapter, and a server's repo that keeps files.
//
// A room is one document with a list of immutable strings: a plain one would be a text that is
// edited together, letter by letter, and cost more.

import { readFileSync, writeFileSync } from 'node:fs'
import * as A from '@automerge/automerge'
import { Repo } from '@automerge/automerge-repo'
import {
  WebSocketClientAdapter, WebSocketServerAdapter
} from '@automerge/automerge-repo-network-websocket'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import { WebSocketServer } from 'ws'
import { Meter, SHOWN, Watch, main, measured, port, settled, until } from './driver.mjs'

const BATCH = 100

const added = (texts) => (doc) => {
  doc.messages.push(...texts.map((each) => new A.ImmutableString(each)))
}

const textsOf = (doc, count = doc.messages.length) =>
  doc.messages.slice(Math.max(0, doc.messages.length - count)).map((each) => each.val)

/** Is the WebSocket adapter, counted. */
class Adapter extends WebSocketClientAdapter {
  constructor (url, meter) {
    super(url)
    this.meter = meter
  }

  connect (...rest) {
    super.connect(...rest)
    this.meter.watch(this.socket)
  }
}

const documents = {
  build: (path, texts) => {
    let doc = A.from({ messages: [] })
    for (let start = 0; start < texts.length; start += BATCH) {
      doc = A.change(doc, added(texts.slice(start, start + BATCH)))
    }
    writeFileSync(path, A.save(doc))
    return {}
  },
  open: (path) => measured(() => textsOf(A.load(readFileSync(path)), SHOWN))
}

const joined = (url, meter) => new Repo({ network: [new Adapter(url, meter)] })

const has = (handle, count) => until(
  (look) => handle.on('change', look),
  () => handle.isReady() && handle.doc().messages.length >= count
)

const found = async (repo, room) => {
  for (;;) {
    try {
      return await repo.find(room)
    } catch {
      // The server has not got the document yet.
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

const fill = async (url, texts) => {
  const repo = joined(url, new Meter())
  const handle = repo.create({ messages: [] })
  for (let start = 0; start < texts.length; start += BATCH) {
    handle.change(added(texts.slice(start, start + BATCH)))
  }
  const reader = joined(url, new Meter())
  await has(await found(reader, handle.url), texts.length)
  return { room: handle.url }
}

const catchup = async (url, { count, room }) => {
  const meter = new Meter()
  const watch = new Watch()
  const handle = await joined(url, meter).find(room)
  await has(handle, count)
  const shown = textsOf(handle.doc(), SHOWN)
  const took = watch.read()
  return { ...took, down: meter.down, shown, count: handle.doc().messages.length }
}

const offline = async (url, texts) => {
  const meters = [new Meter(), new Meter()]
  const writing = joined(url, meters[0])
  const mine = writing.create({ messages: [] })
  const theirs = await found(joined(url, meters[1]), mine.url)
  await settled(...meters)
  const [adapter] = writing.networkSubsystem.adapters
  writing.networkSubsystem.removeNetworkAdapter(adapter)
  for (const each of texts) mine.change(added([each]))
  await settled(...meters)
  meters.forEach((meter) => meter.reset())
  const watch = new Watch()
  writing.networkSubsystem.addNetworkAdapter(new Adapter(url, meters[0]))
  await has(theirs, texts.length)
  const shown = textsOf(theirs.doc(), SHOWN)
  const took = watch.read()
  await settled(...meters)
  const isRight = JSON.stringify(textsOf(theirs.doc())) === JSON.stringify(texts)
  return { ...took, up: meters[0].up, down: meters[1].down, shown, isRight }
}

const serve = async (folder) => {
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await new Promise((resolve) => sockets.on('listening', resolve))
  const storage = folder && new NodeFSStorageAdapter(folder)
  const repo = new Repo({
    network: [new WebSocketServerAdapter(sockets)], storage, sharePolicy: async () => false
  })
  return { url: port(sockets), close: () => repo.flush() }
}

await main({ ...documents, fill, catchup, offline, serve })
