// 100,000 increments by hot-shots: node hotshots.js stream|uds SOCKET
'use strict';
const net = require('node:net');
const StatsD = require('hot-shots');
const [, , protocol, path] = process.argv;

function fail(err) {
  console.error(err);
  process.exit(1);
}

const options = { protocol, errorHandler: fail, globalTags: ['from:node'] };
if (protocol === 'uds') {
  options.path = path;
  options.udsRetryOptions = { retries: 10 }; // a machine busy with tests may be slow to read
} else options.stream = net.connect(path);
const client = new StatsD(options);

// Hands over what was counted every now and then, and waits for it: what
// hot-shots gives up by itself is none of the server's business.
const flush = () => new Promise((resolve, reject) => client.flush((err) => (err ? reject(err) : resolve())));

(async () => {
  for (let i = 1; i <= 100_000; i++) {
    client.increment('hotshots.increments');
    if (i % 100 === 0) await flush();
  }
  if (options.stream) options.stream.end(() => client.close());
  else client.close();
})().catch(fail);
