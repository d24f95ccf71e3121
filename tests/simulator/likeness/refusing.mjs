// What Postmark refuses, or fails at, comes out as the package's own errors.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { account, accountToken, client, control, mail, makeServer, postmark, refused } from './postmark.mjs';

const { AccountClient, Errors, ServerClient } = postmark;
const faults = (which = {}) => control('PUT', '/faults', which);
after(() => faults());

// Has the API go wrong, makes a call, and lets it go right again.
async function under(which, call) {
  await faults(which);
  const error = await refused(call());
  await faults();
  return error;
}

test('a wrong token is an invalid key, for a server and for the account', async () => {
  for (const [kind, call, whose] of [
    [ServerClient, (one) => one.getServer(), 'Server'],
    [AccountClient, (one) => one.getServers(), 'Account'],
  ]) {
    const error = await refused(call(client(kind, '00000000-0000-0000-0000-000000000000')));
    assert.ok(error instanceof Errors.InvalidAPIKeyError, error.message);
    assert.deepEqual([error.code, error.statusCode], [10, 401]);
    assert.match(error.message, new RegExp(`The ${whose} Token .* was invalid`));
  }
});

test("the account's token opens no server, and a server's not the account", async () => {
  const { server } = await makeServer('Tokens');
  assert.ok(
    (await refused(client(ServerClient, accountToken).getServer())) instanceof Errors.InvalidAPIKeyError,
  );
  assert.ok(
    (await refused(client(AccountClient, server.ApiTokens[0]).getServers())) instanceof
      Errors.InvalidAPIKeyError,
  );
});

test('too many requests are the error for exceeded rates', async () => {
  const error = await under({ requests_per_second_max: 0 }, () => account.getServers());
  assert.ok(error instanceof Errors.RateLimitExceededError, error.message);
  assert.equal(error.statusCode, 429);
});

test('a failure inside Postmark is an internal error, though its answer is no JSON', async () => {
  const error = await under({ internal_share: 1 }, () => account.getServers());
  assert.ok(error instanceof Errors.InternalServerError, error.message);
  assert.deepEqual([error.code, error.statusCode], [0, 500]);
});

test('an unreachable Postmark, and one in maintenance, are the error for an unavailable service', async () => {
  const away = await under({ unavailable_share: 1 }, () => account.getServers());
  assert.ok(away instanceof Errors.ServiceUnavailablerError, away.message);
  assert.deepEqual([away.code, away.statusCode], [0, 503]);
  const maintained = await under({ maintenance: true }, () => account.getServers());
  assert.ok(maintained instanceof Errors.ServiceUnavailablerError, maintained.message);
  assert.deepEqual([maintained.code, maintained.statusCode], [100, 503]);
});

test('a send that failed was not sent', async () => {
  const { client: server } = await makeServer('Fails');
  await under({ internal_share: 1 }, () => server.sendEmail(mail('ida@x.example')));
  assert.deepEqual((await server.getOutboundMessages()).Messages, []);
});
