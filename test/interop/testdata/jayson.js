// 100,000 increments by jayson: 20,000 single requests, 80 batches of 1,000.
'use strict';
const jayson = require('jayson/promise');
const client = jayson.Client.tcp({ path: process.argv[2] });
const params = { Text: 'jayson.increments:1|c|#from:node' };

function check(answer) {
  if (answer.error || answer.result !== 0) throw new Error(JSON.stringify(answer));
}

async function singles(n) {
  for (let i = 0; i < n; i++) check(await client.request('Metric.Handle', params));
}

async function batches(n) {
  for (let i = 0; i < n; i++) {
    const batch = Array.from({ length: 1000 }, () => client.request('Metric.Handle', params, undefined, false));
    const answers = await client.request(batch);
    if (answers.length !== 1000) throw new Error(`${answers.length} answers to a batch of 1000`);
    answers.forEach(check);
  }
}

Promise.all([singles(5000), singles(5000), singles(5000), singles(5000), batches(40), batches(40)]).catch((err) => {
  console.error(err);
  process.exit(1);
});
