#!/usr/bin/env node
// Records into a running hawkeye from Node.js, without packages.
//
//     go run ./examples/nethttp -socket /tmp/hawkeye-demo/demo.sock     (one terminal)
//     node examples/otherlanguages/record.js /tmp/hawkeye-demo/demo.sock
'use strict';
const net = require('node:net');
const readline = require('node:readline');

const path = process.argv[2];
if (!path) {
  console.error('usage: record.js SOCKET');
  process.exit(2);
}

// Fire and forget: statsd lines. Nothing is answered, be it wrong. end() sends
// what is buffered and then closes.
function lines() {
  const s = net.connect(path);
  s.on('error', fail);
  for (let i = 0; i < 100; i++) s.write('jobs.done:1|c|#queue:mail,from:node\n');
  s.write('queue.depth:42|g|#from:node\n');
  s.end('job.time:320:210:95|ms|#from:node\n'); // three in one line
}

// JSON-RPC 2.0 on another connection. Requests may be sent without waiting:
// they are handled, and answered, in their order.
function calls() {
  const s = net.connect(path);
  s.on('error', fail);
  const requests = [
    ['Metric.Handle', { Text: 'jobs.failed:1|c|#from:node' }],
    ['Metric.HandleBatch', { Lines: Array(10).fill('jobs.failed:2|c|#from:node') }],
    ['Metric.Handle', { Text: 'jobs.failed:oops|c' }], // a mistake is told to its sender
    ['Metric.Ping', {}],
  ];
  requests.forEach(([method, params], i) => {
    s.write(JSON.stringify({ jsonrpc: '2.0', id: i + 1, method, params }) + '\n');
  });
  let answers = 0;
  readline.createInterface({ input: s }).on('line', (line) => {
    console.log(line);
    if (++answers === requests.length) s.end();
  });
}

function fail(err) {
  console.error(err.message);
  process.exitCode = 1;
}

lines();
calls();
