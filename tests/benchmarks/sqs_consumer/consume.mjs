// npm's sqs-consumer, told by lines of JSON on standard input what to do and answering each with one line.
//
// {"do": "drain", "messages": 1000, "consumers": 4, "batch": true}   until so many are processed: seconds, requests by kind
// {"do": "hold", "visibility": 12, "heartbeat": 6}                   hold what it gets, with heartbeats, until it is killed
// {"do": "hold", ..., "seconds": 30, "messages": 10}                 the same for so long, then done
import { createInterface } from "node:readline";
import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const { QUEUE_URL, ENDPOINT, REGION, ACCOUNT } = process.env;
let requests = {};

const sqs = new SQSClient({
  endpoint: ENDPOINT,
  region: REGION,
  credentials: { accessKeyId: ACCOUNT, secretAccessKey: "test" },
  useQueueUrlAsEndpoint: false,
  maxAttempts: 1,
});
sqs.middlewareStack.add(
  (next, context) => (args) => {
    requests[context.commandName] = (requests[context.commandName] ?? 0) + 1;
    return next(args);
  },
  { step: "initialize", name: "counting" },
);

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

function consumer({ batch, handler, visibility, heartbeat, wait }) {
  const handlers = batch
    ? { handleMessageBatch: async (messages) => (await handler(messages), messages) }
    : { handleMessage: async (message) => (await handler([message]), message) };
  const made = Consumer.create({
    queueUrl: QUEUE_URL,
    sqs,
    batchSize: batch ? 10 : 1,
    waitTimeSeconds: wait ?? 20,
    visibilityTimeout: visibility,
    heartbeatInterval: heartbeat,
    ...handlers,
  });
  for (const event of ["error", "processing_error", "timeout_error"]) {
    made.on(event, (error) => process.stderr.write(`${event}: ${error}\n`));
  }
  return made;
}

function drain({ messages, consumers, batch, wait }) {
  return new Promise((done) => {
    requests = {};
    let processed = 0;
    let ended = false;
    const started = process.hrtime.bigint();
    const all = Array.from({ length: consumers }, () => consumer({ batch, wait, handler: async () => {} }));
    for (const one of all) {
      one.on("message_processed", () => {
        processed += 1;
        if (processed < messages || ended) return;
        ended = true;
        const seconds = Number(process.hrtime.bigint() - started) / 1e9;
        const counted = { ...requests };
        for (const other of all) other.stop();
        // A poll that is cut short would take messages of the next round along.
        setTimeout(() => done({ seconds, requests: counted }), wait * 1000 + 500);
      });
      one.start();
    }
  });
}

function hold({ visibility, heartbeat, seconds, messages }) {
  return new Promise((done) => {
    requests = {};
    let held = 0;
    let processed = 0;
    const holding = consumer({
      batch: true,
      visibility,
      heartbeat,
      handler: async (received) => {
        held += received.length;
        say({ held });
        await new Promise((resolve) => setTimeout(resolve, (seconds ?? 86_400) * 1000));
      },
    });
    holding.on("message_processed", () => {
      processed += 1;
      if (processed !== messages) return;
      holding.stop({ abort: true });
      done({ requests: { ...requests } });
    });
    holding.start();
  });
}

say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const wanted = JSON.parse(line);
  say(await (wanted.do === "drain" ? drain(wanted) : hold(wanted)));
}
process.exit(0);
