// Sending: single, in batches and by template; and how a send is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DAY,
  advance,
  client,
  control,
  mail,
  makeServer,
  postmark,
  quirks,
  refused,
  settle,
} from './postmark.mjs';

const { ApiInputError, InactiveRecipientsError, InvalidEmailRequestError } = postmark.Errors;
const ZERO = '00000000-0000-0000-0000-000000000000';

test('a mail is taken and has an id', async () => {
  const { client } = await makeServer('Sends one');
  const message = new postmark.Message(
    'a@sender.example',
    'Hello',
    '<p>Hello</p>',
    'Hello',
    'Ida <ida@x.example>',
    'cc@x.example',
    'bcc@x.example',
  );
  const sent = await client.sendEmail(message);
  assert.deepEqual([sent.ErrorCode, sent.Message, sent.To], [0, 'OK', 'Ida <ida@x.example>']);
  assert.match(sent.MessageID, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.notEqual(sent.MessageID, ZERO);
  assert.ok(!Number.isNaN(Date.parse(sent.SubmittedAt)));
});

test('a batch is answered mail by mail, in its order', async () => {
  const { client } = await makeServer('Sends a batch');
  const sent = await client.sendEmailBatch([mail('ida@x.example'), mail('nobody'), mail('bo@x.example')]);
  assert.deepEqual(
    sent.map((one) => one.ErrorCode),
    [0, 300, 0],
  );
  assert.deepEqual([sent[0].To, sent[2].To], ['ida@x.example', 'bo@x.example']);
});

test('mails are sent by a template, alone and in a batch', async () => {
  const { client } = await makeServer('Sends templates');
  const made = await client.createTemplate({
    Name: 'Welcome',
    Alias: 'welcome',
    Subject: 'Hi {{name}}',
    TextBody: 'Hi',
  });
  const by = (which, to) => new postmark.TemplatedMessage('a@sender.example', which, { name: 'Ida' }, to);
  const sent = await client.sendEmailWithTemplate(by('welcome', 'ida@x.example'));
  assert.equal(sent.ErrorCode, 0);
  const batch = await client.sendEmailBatchWithTemplates([
    by(made.TemplateId, 'bo@x.example'),
    by('unknown', 'cy@x.example'),
  ]);
  assert.deepEqual(
    batch.map((one) => one.ErrorCode),
    [0, 1101],
  );
  const unknown = await refused(client.sendEmailWithTemplate(by('unknown', 'ida@x.example')));
  assert.ok(unknown instanceof ApiInputError);
  assert.equal(unknown.code, 1101);
});

test('a bad address is the error for a bad request', async () => {
  const { client } = await makeServer('Sends badly');
  const error = await refused(client.sendEmail(mail('nobody')));
  assert.ok(error instanceof InvalidEmailRequestError);
  assert.deepEqual([error.code, error.statusCode, error.name], [300, 422, 'InvalidEmailRequestError']);
});

test('inactive recipients are read out of the text of error 406', async () => {
  const { client } = await makeServer('Sends to inactive ones');
  await client.sendEmailBatch([mail('ida+hard@x.example'), mail('bo+hard@x.example')]);
  await advance(3 * DAY);
  const error = await refused(client.sendEmail(mail('ida+hard@x.example, bo+hard@x.example')));
  assert.ok(error instanceof InactiveRecipientsError);
  assert.deepEqual([error.code, error.statusCode], [406, 422]);
  assert.deepEqual(error.recipients, ['ida+hard@x.example', 'bo+hard@x.example']);

  const [item] = await client.sendEmailBatch([mail('ida+hard@x.example')]);
  assert.equal(item.ErrorCode, 406);
  assert.deepEqual(InactiveRecipientsError.parseInactiveRecipients(item.Message), ['ida+hard@x.example']);
});

test('a mail to some inactive recipients goes to the others, and names those it left out', async () => {
  const { client } = await makeServer('Sends to some');
  await client.createSuppressions('outbound', { Suppressions: [{ EmailAddress: 'ida@x.example' }] });
  await settle();
  const sent = client.sendEmail(mail('ida@x.example, bo@x.example'));
  const told = quirks.partial_send_is_422 ? await refused(sent) : await sent;
  const text = told.Message ?? told.message;
  assert.deepEqual(InactiveRecipientsError.parseInactiveRecipients(text), ['ida@x.example']);
  await advance(DAY);
  const truth = await control('GET', '/truth');
  assert.ok(truth.includes('bo@x.example'));
});

test("the token for tests sends nothing and says so in Postmark's words", async () => {
  const sent = await client(postmark.ServerClient, 'POSTMARK_API_TEST').sendEmail(mail('ida@x.example'));
  assert.deepEqual([sent.ErrorCode, sent.Message], [0, 'Test job accepted']);
});
