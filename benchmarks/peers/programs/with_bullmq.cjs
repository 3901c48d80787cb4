// BullMQ: `node with_bullmq.cjs client` enqueues as stage.py does, `node with_bullmq.cjs worker` works as board.py tells.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { setTimeout: sleep } = require("node:timers/promises");
const Redis = require("ioredis");
const { Queue, Worker } = require("bullmq");

const LATENCIES = 1 << 14;
const DATA = "x".repeat(26);
const RESULTS = process.env.PEERS_RESULTS === "1";
const OPTIONS = { removeOnComplete: !RESULTS };
const SHOW_MILLISECONDS = 2;

const monotonic = () => Number(process.hrtime.bigint()) / 1e9;
const connection = () => new Redis.Redis(process.env.PEERS_URL, { maxRetriesPerRequest: null });

// The file that board.py describes. Node cannot map it, so it is written when something has changed, every 2 ms.
class Board {
  constructor() {
    this.file = fs.openSync(path.join(process.env.PEERS_BOARD, String(process.pid)), "w+");
    this.bytes = Buffer.alloc(8 * (1 + LATENCIES));
    fs.writeSync(this.file, this.bytes, 0, this.bytes.length, 0);
    this.count = 0;
    this.shown = 0;
    setInterval(() => this.show(), SHOW_MILLISECONDS);
  }

  ran(latency) {
    this.bytes.writeDoubleLE(latency, 8 * (1 + (this.count % LATENCIES)));
    this.count += 1;
  }

  show() {
    if (this.shown === this.count) return;
    const from = Math.max(this.shown, this.count - LATENCIES);
    for (let number = from; number < this.count; number += 1) {
      const at = 8 * (1 + (number % LATENCIES));
      if (this.bytes.readDoubleLE(at) > 0) fs.writeSync(this.file, this.bytes, at, 8, at);
    }
    this.shown = this.count;
    this.bytes.writeBigUInt64LE(BigInt(this.count), 0);
    fs.writeSync(this.file, this.bytes, 0, 8, 0);
  }
}

function work() {
  const board = new Board();
  const handle = async (task) => {
    board.ran(task.name === "timed" ? monotonic() - task.data : 0);
    return RESULTS ? task.data : undefined;
  };
  new Worker("peers", handle, { connection: connection(), concurrency: 50 });
}

async function repeated(enqueue, size, seconds) {
  let count = 0;
  const cpu = process.cpuUsage();
  const began = monotonic();
  while (monotonic() - began < seconds) {
    await enqueue();
    count += size;
  }
  const used = process.cpuUsage(cpu);
  return { count, seconds: monotonic() - began, cpu: (used.user + used.system) / 1e6 };
}

async function serve() {
  const queue = new Queue("peers", { connection: connection() });
  await queue.waitUntilReady();
  const one = () => queue.add("noop", DATA, OPTIONS);
  const many = (size) => queue.addBulk(Array.from({ length: size }, () => ({ name: "noop", data: DATA, opts: OPTIONS })));
  const timed = () => queue.add("timed", monotonic(), OPTIONS);
  const deeds = {
    hello: async () => true,
    singles: (seconds) => repeated(one, 1, seconds),
    batches: (seconds, size) => repeated(() => many(size), size, seconds),
    fill: async (count) => {
      for (let left = count; left > 0; left -= 100) await many(100);
      return null;
    },
    idle: async (count) => {
      for (let number = 0; number < count; number += 1) {
        await sleep(10 + Math.random() * 10);
        await timed();
      }
      return null;
    },
    steady: async (count, rate) => {
      const began = monotonic();
      for (let number = 0; number < count; number += 1) {
        const pause = began + number / rate - monotonic();
        if (pause > 0) await sleep(pause * 1000);
        await timed();
      }
      return null;
    },
  };
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [word, ...numbers] = line.split(" ");
    console.log(JSON.stringify(await deeds[word](...numbers.map(Number))));
  }
  process.exit(0);
}

if (process.argv[2] === "worker") work();
else serve();
