// Runs scenarios of the Node SDK whose names come on standard input, some at a time: `node main.mjs FOLDER-OF-NODE_MODULES`.

import fs from 'node:fs';
import readline from 'node:readline';
import { Api } from './node/api.mjs';

const AT_A_TIME = 4;
// A promise that one scenario forgets must not end the others.
process.on('unhandledRejection', (problem) => console.error(problem));
const scenarios = {};
for (const file of fs.readdirSync(new URL('./node/', import.meta.url))) {
  if (file !== 'api.mjs') Object.assign(scenarios, await import(`./node/${file}`));
}
const sdk = await import(`${fs.realpathSync(process.argv[2])}/node_modules/openai/index.mjs`);
const waiting = [];
for await (const line of readline.createInterface({ input: process.stdin })) waiting.push(line.trim());

async function work() {
  while (waiting.length) {
    const name = waiting.shift();
    let error = '';
    try {
      await scenarios[name](new Api(sdk, process.env.CONTRACT_URL, ...JSON.parse(process.env.CONTRACT_KEYS)));
    } catch (problem) {
      error = problem.stack ?? String(problem);
    }
    process.stdout.write(`${JSON.stringify({ name, error })}\n`);
  }
}

await Promise.all(Array.from({ length: AT_A_TIME }, work));
