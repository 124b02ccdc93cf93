// A chat room as Yjs would have it: one document whose messages are an array of their texts.
//
// `client(url, doc, meter)` makes a provider with connect(), disconnect() and `isSynced()`.

import { readFileSync, writeFileSync } from 'node:fs'
import WebSocket from 'ws'
import * as Y from 'yjs'
import { Meter, SHOWN, Watch, measured, settled, until } from './driver.mjs'

const DEVICES = 8

const messagesOf = (doc) => doc.getArray('messages')

/** Writes texts one by one, as devices do that take turns. */
const write = (doc, texts) => {
  const own = doc.clientID
  texts.forEach((each, number) => {
    doc.clientID = 1000 + number % DEVICES
    const messages = messagesOf(doc)
    if (number % DEVICES === 0 && number) messages.get(number - 1) // remembers where the end is
    messages.push([each])
  })
  doc.clientID = own
}

const lastOf = (doc) => {
  const messages = messagesOf(doc)
  return messages.slice(Math.max(0, messages.length - SHOWN))
}

export const metered = (meter) => class extends WebSocket {
  constructor (...rest) {
    super(...rest)
    meter.watch(this)
  }
}

export const documents = {
  build: (path, texts) => {
    const doc = new Y.Doc()
    write(doc, texts)
    writeFileSync(path, Y.encodeStateAsUpdateV2(doc))
    return {}
  },
  open: (path) => measured(() => {
    const doc = new Y.Doc()
    Y.applyUpdateV2(doc, readFileSync(path))
    return lastOf(doc)
  })
}

export const rooms = (client) => ({
  fill: async (url, texts) => {
    const doc = new Y.Doc()
    const provider = await joined(client, url, doc, new Meter())
    write(doc, texts)
    const other = new Y.Doc()
    const reader = client(url, other, new Meter())
    reader.connect()
    await until((look) => other.on('update', look), () => messagesOf(other).length >= texts.length)
    reader.disconnect()
    provider.disconnect()
    return {}
  },

  catchup: async (url, { count }) => {
    const doc = new Y.Doc()
    const meter = new Meter()
    const provider = client(url, doc, meter)
    const watch = new Watch()
    provider.connect()
    await until((look) => doc.on('update', look), () => messagesOf(doc).length >= count)
    const shown = lastOf(doc)
    const took = watch.read()
    return { ...took, down: meter.down, shown, count: messagesOf(doc).length }
  },

  offline: async (url, texts) => {
    const meters = [new Meter(), new Meter()]
    const docs = [new Y.Doc(), new Y.Doc()]
    const writer = await joined(client, url, docs[0], meters[0])
    await joined(client, url, docs[1], meters[1])
    await settled(...meters)
    writer.disconnect()
    for (const each of texts) messagesOf(docs[0]).push([each])
    await settled(...meters)
    meters.forEach((meter) => meter.reset())
    const watch = new Watch()
    writer.connect()
    await until(
      (look) => docs[1].on('update', look),
      () => messagesOf(docs[1]).length >= texts.length
    )
    const shown = lastOf(docs[1])
    const took = watch.read()
    await settled(...meters)
    const isRight = JSON.stringify(messagesOf(docs[1]).toArray()) === JSON.stringify(texts)
    return { ...took, up: meters[0].up, down: meters[1].down, shown, isRight }
  }
})

const joined = async (client, url, doc, meter) => {
  const provider = client(url, doc, meter)
  provider.connect()
  while (!provider.isSynced()) await new Promise((resolve) => setTimeout(resolve, 5))
  return provider
}
