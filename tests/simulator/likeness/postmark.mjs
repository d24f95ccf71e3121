// Postmark's own client, every answer of which is held to the package's own types, and the simulator's controls.
//
// The environment names the simulator, SIMULATOR=http://127.0.0.1:PORT, whose clock stands (--speed 0).

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { knownDifferences } from './known.mjs';
import { differences, promises } from './shapes.mjs';

const require = createRequire(import.meta.url);
export const postmark = require('postmark');
const { ServerClient, AccountClient, Models } = postmark;
export { Models };

const base = process.env.SIMULATOR;
assert.ok(
  base,
  'SIMULATOR names no simulator: `make likeness` starts one',
);
const declarations = join(dirname(require.resolve('postmark')), 'client');

// The methods that were answered well, as `ServerClient.sendEmail`, and the differences that were met.
export const answered = new Set();
export const met = new Set();

// The text of the last answer: the package parses numbers, so that ids above 2^53 lose their last digits.
export let lastText = '';

const recording = async (input, init) => {
  const response = await fetch(input, init);
  lastText = await response.clone().text();
  return response;
};

function held(value, path, text, from) {
  for (const difference of differences(value, path, text)) {
    assert.ok(difference in certain || difference in possible, `${from}: ${difference}`);
    met.add(difference);
  }
}

// A client whose methods hold what they are answered to what they promise.
export function client(kind, token) {
  const of = new kind(token, { requestHost: new URL(base).host, useHttps: false, fetch: recording });
  const promised = promises(join(declarations, kind.name));
  return new Proxy(of, {
    get(of, name) {
      if (!promised.has(name)) return of[name];
      return async (...given) => {
        const answer = await of[name](...given);
        answered.add(`${kind.name}.${name}`);
        held(answer, join(declarations, kind.name), promised.get(name), `${kind.name}.${name}`);
        return answer;
      };
    },
  });
}

// Holds something to a type of the package's models, or of one file of them.
export const holds = (value, name, file = 'index') =>
  held(value, join(declarations, 'models', file), name, name);

// Asks the simulator's control surface.
export async function control(method, path, body) {
  const response = await fetch(`${base}/simulator${path}`, { method, body: body && JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${method} /simulator${path}: ${response.status} ${text}`);
  return response.headers.get('content-type')?.startsWith('application/json') ? JSON.parse(text) : text;
}

export const { account_token: accountToken, rules } = await control('GET', '');
export const quirks = await control('GET', '/quirks');
export const relaunched = rules.startsWith('aug2026');
export const { certain, possible } = knownDifferences(quirks, relaunched);
export const account = client(AccountClient, accountToken);

export const advance = (seconds) => control('POST', `/advance?by=${seconds}`);
export const DAY = 86_400;
// Longer than what is changed through the API, or read from a dump, is behind by.
export const settle = () => advance(quirks.change_delay_seconds + quirks.dump_lag_seconds + 1);
export const now = async () => new Date((await control('GET', '')).now);

// Makes a server: what Postmark tells of it, and its client.
export async function makeServer(name, options = {}) {
  const server = await account.createServer({ Name: name, ...options });
  return { server, client: client(ServerClient, server.ApiTokens[0]) };
}

export const mail = (to, more = {}) => ({
  From: 'Sender <a@sender.example>',
  To: to,
  Subject: 'Hello',
  HtmlBody: '<p><a href="https://shop.example/html">here</a></p>',
  TextBody: 'Or there: https://shop.example/text',
  MessageStream: 'outbound',
  ...more,
});

// What a call is refused with.
export async function refused(promise) {
  const error = await promise.then(
    () => undefined,
    (error) => error,
  );
  assert.ok(error, 'it was refused');
  return error;
}

// An endpoint that asks for credentials as Basic has it, and keeps what it is sent.
export async function receiver(answer = () => 200) {
  const bodies = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      if (!request.headers.authorization) {
        response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="hooks"' }).end();
        return;
      }
      const body = JSON.parse(Buffer.concat(chunks));
      bodies.push(body);
      response.writeHead(answer(body)).end();
    });
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${server.address().port}/hook`;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url, bodies, close };
}
