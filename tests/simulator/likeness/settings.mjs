// What is set rather than sent: servers, streams, templates, webhooks, and what webhooks then tell.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  DAY,
  Models,
  account,
  advance,
  holds,
  mail,
  makeServer,
  now,
  postmark,
  receiver,
  refused,
  relaunched,
  rules,
} from './postmark.mjs';

const { ApiInputError } = postmark.Errors;

test('a server is made, listed, read and changed by the account', async () => {
  const made = await account.createServer({
    Name: 'Agency 1',
    Color: 'green',
    TrackOpens: true,
    TrackLinks: Models.LinkTrackingOptions.HtmlAndText,
    DeliveryType: Models.ServerDeliveryTypes.Sandbox,
  });
  assert.deepEqual(
    [made.Name, made.Color, made.TrackOpens, made.TrackLinks, made.DeliveryType],
    ['Agency 1', 'green', true, 'HtmlAndText', 'Sandbox'],
  );
  assert.equal(made.ApiTokens.length, 1);
  const listed = await account.getServers({ name: 'agency 1' });
  assert.deepEqual([listed.TotalCount, listed.Servers], [1, [made]]);
  assert.deepEqual(await account.getServer(made.ID), made);
  const edited = await account.editServer(made.ID, { Name: 'Agency 2', InboundSpamThreshold: 5 });
  assert.deepEqual(edited, { ...made, Name: 'Agency 2', InboundSpamThreshold: 5 });
});

test("a server is deleted only where Postmark's support has enabled it", async () => {
  const { server } = await makeServer('To be deleted');
  const error = await refused(account.deleteServer(server.ID));
  assert.ok(error instanceof ApiInputError);
  assert.equal(error.code, 604);
  assert.equal((await account.getServer(server.ID)).ID, server.ID);
});

test('a server reads and changes itself by its own token', async () => {
  const { server, client } = await makeServer('Changes itself');
  assert.deepEqual(await client.getServer(), server);
  const hooks = {
    BounceHookUrl: 'https://old.example/bounce',
    OpenHookUrl: 'https://old.example/open',
    PostFirstOpenOnly: true,
  };
  const edited = await client.editServer(hooks);
  assert.deepEqual(edited, { ...server, ...hooks });
  const taken = await refused(client.editServer({ BounceHookUrl: 'nowhere' }));
  assert.deepEqual([taken.code, taken instanceof ApiInputError], [606, true]);
});

test('of a server, what is named is changed and all else stays', async () => {
  const { server, client } = await makeServer('Changes some');
  const { server: other } = await makeServer('Has this name');
  let now = server;
  for (const change of [
    { TrackOpens: true },
    { TrackOpens: false, TrackLinks: Models.LinkTrackingOptions.HtmlOnly },
    { SmtpApiActivated: false },
    { Color: 'red', Name: 'Changed some' },
    { RawEmailEnabled: true, InboundDomain: 'in.example', InboundSpamThreshold: 7 },
    { IncludeBounceContentInHook: true, EnableSmtpApiErrorHooks: true },
  ]) {
    now = { ...now, ...change };
    assert.deepEqual(await client.editServer(change), now);
    assert.deepEqual(await client.getServer(), now);
  }
  for (const [change, code] of [
    [{ Name: other.Name, TrackOpens: true }, 603],
    [{ Color: 'pink' }, 608],
    [{ InboundSpamThreshold: 31 }, 610],
    [{ TrackLinks: 'All' }, 611],
    [{ DeliveryType: Models.ServerDeliveryTypes.Sandbox }, 613],
  ]) {
    assert.equal((await refused(client.editServer(change))).code, code, JSON.stringify(change));
  }
  assert.deepEqual(await client.getServer(), now);
});

test('a stream is made, listed, read, changed, archived and brought back', async () => {
  const { server, client } = await makeServer('Streams');
  const first = await client.getMessageStreams();
  assert.deepEqual(
    [first.TotalCount, first.MessageStreams.map((one) => one.ID)],
    [3, ['outbound', 'inbound', 'broadcast']],
  );
  const made = await client.createMessageStream({
    ID: 'receipts',
    Name: 'Receipts',
    MessageStreamType: 'Transactional',
    Description: 'All receipts',
  });
  assert.deepEqual(
    [made.ID, made.ServerID, made.Description, made.UpdatedAt],
    ['receipts', server.ID, 'All receipts', null],
  );
  assert.deepEqual(await client.getMessageStream('receipts'), made);
  const edited = await client.editMessageStream('receipts', { Name: 'Invoices' });
  assert.deepEqual([edited.Name, edited.Description], ['Invoices', 'All receipts']);
  const archived = await client.archiveMessageStream('receipts');
  assert.deepEqual([archived.ID, archived.ServerID], ['receipts', server.ID]);
  assert.equal(Math.round((Date.parse(archived.ExpectedPurgeDate) - (await now())) / 1000 / DAY), 45);
  const sending = { messageStreamType: 'Transactional' };
  assert.equal((await client.getMessageStreams(sending)).TotalCount, 1);
  assert.equal((await client.getMessageStreams({ ...sending, includeArchivedStreams: true })).TotalCount, 2);
  const error = await refused(client.sendEmail(mail('ida@x.example', { MessageStream: 'receipts' })));
  assert.deepEqual([error.code, error instanceof ApiInputError], [1236, true]);
  const back = await client.unarchiveMessageStream('receipts');
  assert.deepEqual([back.ID, back.ArchivedAt], ['receipts', null]);
});

test('a template is made, listed, read, changed, validated and deleted', async () => {
  const { server, client } = await makeServer('Templates');
  const made = await client.createTemplate(
    new Models.CreateTemplateRequest('Welcome', 'Hi {{name}}', '<b>Hi</b>', 'Hi', 'welcome'),
  );
  assert.deepEqual(
    [made.Name, made.Alias, made.Active, made.TemplateType],
    ['Welcome', 'welcome', true, 'Standard'],
  );
  const layout = await client.createTemplate({
    Name: 'Frame',
    Alias: 'frame',
    TemplateType: Models.TemplateTypes.Layout,
    HtmlBody: '<p>{{{@content}}}</p>',
  });
  const listed = await client.getTemplates({ templateType: Models.TemplateTypes.Layout });
  assert.deepEqual([listed.TotalCount, listed.Templates[0].TemplateId], [1, layout.TemplateId]);
  assert.equal((await client.getTemplates()).TotalCount, 2);
  await client.editTemplate('welcome', { Subject: 'Hello {{name}}', LayoutTemplate: 'frame' });
  const framed = await client.getTemplates({ layoutTemplate: 'frame' });
  assert.deepEqual(
    framed.Templates.map((one) => one.TemplateId),
    [made.TemplateId],
  );
  const read = await client.getTemplate('welcome');
  assert.deepEqual(
    [read.Subject, read.HtmlBody, read.AssociatedServerId],
    ['Hello {{name}}', '<b>Hi</b>', server.ID],
  );
  const valid = await client.validateTemplate({
    Subject: 'Hi {{name}}',
    HtmlBody: '<b>Hi</b>',
    TextBody: 'Hi {{name',
  });
  assert.deepEqual(
    [valid.AllContentIsValid, valid.Subject.ContentIsValid, valid.TextBody.ContentIsValid],
    [false, true, false],
  );
  assert.equal((await client.deleteTemplate(made.TemplateId)).ErrorCode, 0);
  assert.equal((await client.getTemplates()).TotalCount, 1);
});

test('templates are pushed from one server to another', async () => {
  const [from, to] = [await makeServer('Pushes'), await makeServer('Is pushed to')];
  await from.client.createTemplate({ Name: 'Welcome', Alias: 'welcome', Subject: 'Hi', TextBody: 'Hi' });
  const push = (really) =>
    account.pushTemplates(new Models.TemplatesPushRequest(from.server.ID, to.server.ID, really));
  assert.deepEqual(
    (await push(false)).Templates.map((one) => [one.Action, one.Alias]),
    [['Create', 'welcome']],
  );
  assert.equal((await to.client.getTemplates()).TotalCount, 0);
  await push(true);
  assert.equal((await to.client.getTemplate('welcome')).TextBody, 'Hi');
  assert.equal((await push(true)).Templates[0].Action, 'Edit');
});

const ALL = {
  Open: { Enabled: true, PostFirstOpenOnly: false },
  Click: { Enabled: true },
  Delivery: { Enabled: true },
  Bounce: { Enabled: true, IncludeContent: true },
  SpamComplaint: { Enabled: true, IncludeContent: false },
  SubscriptionChange: { Enabled: true },
};
const auth = { Username: 'postmark', Password: 'secret' };

test('a webhook is made, listed, read, changed and deleted', async () => {
  const { client } = await makeServer('Webhooks');
  const hook = await receiver();
  after(hook.close);
  const made = await client.createWebhook({
    Url: hook.url,
    MessageStream: 'outbound',
    HttpAuth: auth,
    HttpHeaders: [{ Name: 'X-Client', Value: '7' }],
    Triggers: ALL,
  });
  assert.deepEqual(
    [made.Url, made.MessageStream, made.HttpAuth, made.Triggers],
    [hook.url, 'outbound', auth, ALL],
  );
  assert.deepEqual(made.HttpHeaders, [{ Name: 'X-Client', Value: '7' }]);
  assert.equal(
    hook.bodies.length,
    relaunched ? 6 : 0,
    'an endpoint is verified since the relaunch, by a probe for each trigger',
  );
  assert.deepEqual(await client.getWebhook(made.ID), made);
  assert.deepEqual((await client.getWebhooks({ messageStream: 'outbound' })).Webhooks, [made]);
  assert.deepEqual((await client.getWebhooks({ messageStream: 'broadcast' })).Webhooks, []);
  const edited = await client.editWebhook(made.ID, { Triggers: { Open: { Enabled: false } } });
  assert.deepEqual(edited, {
    ...made,
    Triggers: { ...ALL, Open: { Enabled: false, PostFirstOpenOnly: false } },
  });
  assert.equal((await client.deleteWebhook(made.ID)).ErrorCode, 0);
  assert.equal((await refused(client.getWebhook(made.ID))).code, 1352);
});

test('since the relaunch, a webhook whose endpoint fails is refused', async () => {
  const { client } = await makeServer('Failing webhooks');
  const hook = await receiver(() => 500);
  after(hook.close);
  const made = client.createWebhook({
    Url: hook.url,
    HttpAuth: auth,
    Triggers: { Bounce: { Enabled: true } },
  });
  if (!relaunched) return assert.equal((await made).Url, hook.url, rules);
  const error = await refused(made);
  assert.ok(error instanceof ApiInputError);
  assert.equal(error.statusCode, 422);
  assert.match(error.message, /^0\/1 triggers verified/);
  assert.deepEqual((await client.getWebhooks()).Webhooks, []);
});

test("what webhooks tell has the form of the package's payloads", async () => {
  const { client } = await makeServer('Payloads', { TrackOpens: true, TrackLinks: 'HtmlAndText' });
  const hook = await receiver();
  after(hook.close);
  await client.createWebhook({ Url: hook.url, HttpAuth: auth, Triggers: ALL });
  hook.bodies.length = 0;
  const metadata = { Tag: 'welcome', Metadata: { order: 'A-17' } };
  const outcomes = ['delivered.open1.click2', 'hard', 'soft', 'complaint'];
  await client.sendEmailBatch(outcomes.map((outcome) => mail(`ida+${outcome}@x.example`, metadata)));
  await advance(4 * DAY);
  const told = new Set(hook.bodies.map((body) => body.RecordType));
  assert.deepEqual([...told].sort(), Object.keys(ALL).sort());
  for (const body of hook.bodies) holds(body, `${body.RecordType}Webhook`);
});
