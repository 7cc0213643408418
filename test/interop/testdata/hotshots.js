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
if (protocol === 'uds') options.path = path;
else options.stream = net.connect(path);
const client = new StatsD(options);

// Each waits until the one before it was handed to the system: what hot-shots
// throws away by itself is none of the server's business.
(async () => {
  for (let i = 0; i < 100_000; i++) {
    await new Promise((resolve, reject) => client.increment('hotshots.increments', (err) => (err ? reject(err) : resolve())));
  }
  if (options.stream) options.stream.end(() => client.close());
  else client.close();
})().catch(fail);
