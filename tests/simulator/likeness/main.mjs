// The simulator answers Postmark's own client, the package `postmark` of npm, as Postmark does.
//
// Run by `make likeness`, which starts a simulator for each of some seeds.

import './sending.mjs';
import './settings.mjs';
import './reading.mjs';
import './refusing.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notSimulated } from './known.mjs';
import { account, answered, certain, makeServer, met, postmark, refused } from './postmark.mjs';

const { AccountClient, Errors, ServerClient } = postmark;
const methods = [ServerClient, AccountClient].flatMap((kind) =>
  Object.getOwnPropertyNames(kind.prototype)
    .filter((name) => name !== 'constructor')
    .map((name) => `${kind.name}.${name}`),
);
// Answered by a refusal only.
const onlyRefused = ['AccountClient.deleteServer'];

test('every method of the package was answered, or is said to be not simulated', () => {
  assert.ok(methods.length > 80);
  const told = new Set([...answered, ...onlyRefused, ...Object.keys(notSimulated)]);
  assert.deepEqual(
    methods.filter((method) => !told.has(method)),
    [],
    'neither called nor listed',
  );
  assert.deepEqual(
    [...told].filter((method) => !methods.includes(method)),
    [],
    'not in the package',
  );
  assert.deepEqual(
    Object.keys(notSimulated).filter((method) => answered.has(method)),
    [],
    'simulated after all',
  );
});

test('what is not simulated is answered 404', async () => {
  const { client } = await makeServer('Not simulated');
  for (const method of Object.keys(notSimulated)) {
    const [kind, name] = method.split('.');
    const given = Array.from({ length: postmark[kind].prototype[name].length - 1 }, () => ({}));
    const error = await refused((kind === 'AccountClient' ? account : client)[name](...given));
    assert.ok(error instanceof Errors.PostmarkError, method);
    assert.equal(error.statusCode, 404, method);
  }
});

test("every difference from the package's types that is known to be there was met", () => {
  assert.deepEqual(
    Object.keys(certain).filter((difference) => !met.has(difference)),
    [],
  );
});
