// What is read back of a day's mail: bounces, messages, opens, clicks, statistics, suppressions.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  DAY,
  Models,
  advance,
  holds,
  lastText,
  mail,
  makeServer,
  now,
  postmark,
  refused,
  settle,
} from './postmark.mjs';

const { ApiInputError } = postmark.Errors;
// Enough readers to have read by every kind of program.
const READERS = Array.from({ length: 24 }, (_, number) => `reader${number}+delivered.open1.click2@x.example`);
// More than one, since a hard bounce may be stuck.
const HARD = ['al+hard@x.example', 'bo+hard@x.example', 'jo+hard@x.example', 'vi+hard@x.example'];
const [SOFT, COMPLAINT, TRANSIENT] = [
  'cy+soft@x.example',
  'di+complaint@x.example',
  'ed+transient@x.example',
];
const OTHERS = [...HARD, SOFT, COMPLAINT, TRANSIENT];
const ALL = READERS.length + OTHERS.length;

describe('what is read back', () => {
  let client;
  let sent;
  let reactivated;
  const idOf = (address) => sent.find((one) => one.To === address).MessageID;
  // The ids of the last answer. Those above 2^53 lose their last digits where they are parsed: they stay text.
  const ids = () => {
    const written = [...lastText.matchAll(/"ID":(\d+)/g)].map(([, id]) => id);
    return written.map((id) => (Number.isSafeInteger(Number(id)) ? Number(id) : id));
  };

  before(async () => {
    ({ client } = await makeServer('A day', { TrackOpens: true, TrackLinks: 'HtmlAndText' }));
    sent = await client.sendEmailBatch([
      ...READERS.map((to) => mail(to, { Tag: 'welcome', Subject: 'Welcome', Metadata: { order: 'A-17' } })),
      ...OTHERS.map((to) => mail(to)),
    ]);
    await advance(4 * DAY);
  });

  test('bounces are listed, a page at a time and by every filter', async () => {
    const all = await client.getBounces();
    const emails = all.Bounces.map((one) => one.Email);
    for (const address of [...HARD, SOFT, COMPLAINT]) assert.ok(emails.includes(address), address);
    assert.equal(all.TotalCount, all.Bounces.length);
    const page = await client.getBounces({ count: 1, offset: 1 });
    assert.deepEqual([page.TotalCount, page.Bounces], [all.TotalCount, [all.Bounces[1]]]);
    const of = async (filter) => (await client.getBounces(filter)).Bounces.map((one) => one.Email).sort();
    assert.deepEqual(await of({ type: Models.BounceType.HardBounce }), HARD);
    assert.deepEqual(await of({ type: Models.BounceType.SpamComplaint }), [COMPLAINT]);
    assert.deepEqual(await of({ emailFilter: 'cy' }), [SOFT]);
    assert.deepEqual(await of({ messageID: idOf(HARD[1]) }), [HARD[1]]);
    assert.deepEqual(await of({ inactive: true }), [...HARD, COMPLAINT].sort());
    assert.deepEqual(await of({ tag: 'welcome' }), []);
    assert.deepEqual(await of({ messageStream: 'broadcast' }), []);
    assert.deepEqual(await of({ toDate: '2026-08-01' }), []);
  });

  test("every type of bounce that is told has the package's code", async () => {
    for (const one of (await client.getBounces()).Bounces) {
      const older = one.Type === 'SpamComplaint' && one.TypeCode === 512;
      assert.ok(older || one.TypeCode === Models.BounceTypeCode[one.Type], `${one.Type} ${one.TypeCode}`);
    }
  });

  test('a bounce is read with its source, and reactivated', async () => {
    const { Bounces: bounces } = await client.getBounces({ type: Models.BounceType.HardBounce });
    const which = bounces.findIndex((one) => one.CanActivate);
    const id = ids()[which];
    const bounce = await client.getBounce(id);
    assert.deepEqual(
      [bounce.Email, bounce.Type, bounce.Inactive],
      [bounces[which].Email, 'HardBounce', true],
    );
    assert.equal(bounce.BouncedAt, bounces[which].BouncedAt);
    assert.ok((await client.getBounceDump(id)).Body.includes(bounce.Email));
    const activated = await client.activateBounce(id);
    assert.deepEqual([activated.Message, activated.Bounce.Inactive], ['OK', false]);
    reactivated = bounce.Email;
    await client.getBounces({ type: Models.BounceType.SpamComplaint });
    assert.equal((await refused(client.activateBounce(ids()[0]))).code, 1003);
  });

  test('what is not there is refused with its own code', async () => {
    for (const [call, code] of [
      [() => client.getBounce(1), 1001],
      [() => client.getOutboundMessageDetails('00000000-0000-0000-0000-000000000000'), 701],
      [() => client.getMessageStream('nowhere'), 1226],
      [() => client.getTemplate('nothing'), 1101],
      [() => client.getBounces({ count: 501 }), 1000],
      [() => client.getOutboundMessages({ count: 500, offset: 9_501 }), 700],
    ]) {
      const error = await refused(call());
      assert.ok(error instanceof ApiInputError, error.message);
      assert.equal(error.code, code, error.message);
    }
  });

  test('delivery statistics count bounces by type, after a sum', async () => {
    const { Bounces: bounces, InactiveMails: inactive } = await client.getDeliveryStatistics();
    assert.equal(bounces[0].Name, 'All');
    assert.equal(
      bounces[0].Count,
      bounces.slice(1).reduce((sum, one) => sum + one.Count, 0),
    );
    assert.equal(bounces.find((one) => one.Type === 'HardBounce').Count, HARD.length);
    assert.ok(inactive >= HARD.length);
  });

  test('messages are listed by every filter', async () => {
    const of = async (filter) => {
      const found = await client.getOutboundMessages(filter);
      assert.equal(Number(found.TotalCount), found.Messages.length);
      return found.Messages.length;
    };
    assert.equal(await of(), ALL);
    assert.equal(await of({ recipient: READERS[0] }), 1);
    assert.equal(await of({ fromEmail: 'a@sender.example' }), ALL);
    assert.equal(await of({ tag: 'welcome' }), READERS.length);
    assert.equal(await of({ subject: 'Welcome' }), READERS.length);
    assert.equal(await of({ status: Models.OutboundMessageStatus.Sent }), ALL);
    assert.equal(await of({ status: Models.OutboundMessageStatus.Queued }), 0);
    assert.equal(await of({ metadata_order: 'A-17' }), READERS.length);
    assert.equal(await of({ messageStream: 'broadcast' }), 0);
    const tomorrow = new Date((await now()).getTime() + DAY * 1000).toISOString().slice(0, 10);
    assert.equal(await of({ fromDate: '2026-08-01', toDate: tomorrow }), ALL);
    assert.equal(await of({ fromDate: tomorrow }), 0);
    const page = await client.getOutboundMessages({ count: 2, offset: 1 });
    assert.deepEqual([Number(page.TotalCount), page.Messages.length], [ALL, 2]);
  });

  test('a message is read with its bodies, its events and its source', async () => {
    const id = idOf(READERS[0]);
    const message = await client.getOutboundMessageDetails(id);
    assert.deepEqual(
      [message.MessageID, message.Recipients, message.Tag, message.Metadata],
      [id, [READERS[0]], 'welcome', { order: 'A-17' }],
    );
    assert.match(message.TextBody, /shop\.example\/text/);
    assert.match(message.HtmlBody, /shop\.example\/html/);
    const types = message.MessageEvents.map((event) => event.Type);
    for (const type of ['Delivered', 'Opened', 'LinkClicked']) assert.ok(types.includes(type), type);
    assert.match((await client.getOutboundMessageDump(id)).Body, /^From: /);
  });

  test('the events of messages have the forms of the package', async () => {
    const forms = {
      Delivered: 'DeliveryEvent',
      Transient: 'TransientDelayEvent',
      Bounced: 'BounceEvent',
      Opened: 'OpenEvent',
      LinkClicked: 'ClickEvent',
    };
    const seen = new Set();
    for (const one of sent) {
      const { MessageEvents: events } = await client.getOutboundMessageDetails(one.MessageID);
      for (const event of events.filter((event) => event.Type in forms)) {
        holds(event, forms[event.Type], 'messages/OutboundMessageEvents');
        seen.add(event.Type);
      }
    }
    assert.deepEqual([...seen].sort(), Object.keys(forms).sort());
  });

  test('opens and clicks are listed, of all messages and of one', async () => {
    const id = idOf(READERS[0]);
    const opens = await client.getMessageOpens({ count: 500 });
    assert.deepEqual([Number(opens.TotalCount), opens.Opens.length], [READERS.length, READERS.length]);
    const clicks = await client.getMessageClicks({ count: 500 });
    assert.deepEqual(
      [Number(clicks.TotalCount), clicks.Clicks.length],
      [2 * READERS.length, 2 * READERS.length],
    );
    assert.deepEqual([...new Set(clicks.Clicks.map((one) => one.OriginalLink))].sort(), [
      'https://shop.example/html',
      'https://shop.example/text',
    ]);
    const ofOne = await client.getMessageOpensForSingleMessage(id);
    assert.deepEqual(
      ofOne.Opens.map((one) => [one.MessageID, one.Recipient]),
      [[id, READERS[0]]],
    );
    assert.equal((await client.getMessageClicksForSingleMessage(id)).Clicks.length, 2);
    for (const [filter, same] of [
      [{ recipient: READERS[0] }, (one) => one.Recipient === READERS[0]],
      [{ platform: 'Mobile' }, (one) => one.Platform === 'Mobile'],
      [{ tag: 'welcome' }, (one) => one.Tag === 'welcome'],
    ]) {
      const found = (await client.getMessageOpens({ count: 500, ...filter })).Opens;
      assert.equal(found.length, opens.Opens.filter(same).length);
      assert.ok(found.length > 0 && found.every(same), JSON.stringify(filter));
    }
    assert.deepEqual((await client.getMessageOpens({ tag: 'nothing' })).Opens, []);
  });

  // The days of a statistic sum up to its totals.
  function sums(statistic) {
    const { Days: days, ...totals } = statistic;
    assert.ok(days.length > 0);
    for (const [key, total] of Object.entries(totals)) {
      const sum = days.reduce((sum, day) => sum + (day[key] ?? 0), 0);
      assert.equal(sum, total, key);
    }
    return totals;
  }

  test('the overview counts what was sent, opened, clicked and bounced', async () => {
    const all = await client.getOutboundOverview();
    assert.deepEqual(
      [
        all.Sent,
        all.SpamComplaints,
        all.UniqueOpens,
        all.UniqueLinksClicked,
        all.WithOpenTracking,
        all.WithLinkTracking,
        all.TotalTrackedLinksSent,
      ],
      [ALL, 1, READERS.length, 2 * READERS.length, ALL, ALL, 2 * ALL],
    );
    assert.equal(all.Bounced, HARD.length + 1);
    assert.equal(all.BounceRate, Number(((all.Bounced * 100) / ALL).toFixed(3)));
  });

  test('each statistic is counted by day, and its days sum up', async () => {
    assert.deepEqual(sums(await client.getSentCounts()), { Sent: ALL });
    assert.deepEqual(sums(await client.getSpamComplaintsCounts()), { SpamComplaint: 1 });
    assert.deepEqual(sums(await client.getTrackedEmailCounts()), { Tracked: ALL });
    const bounces = sums(await client.getBounceCounts());
    assert.deepEqual([bounces.HardBounce, bounces.SoftBounce], [HARD.length, 1]);
    assert.equal(sums(await client.getEmailOpenCounts()).Unique, READERS.length);
    assert.equal(sums(await client.getClickCounts()).Unique, 2 * READERS.length);
    for (const method of ['getEmailOpenPlatformUsage', 'getClickPlatformUsage']) {
      const platforms = sums(await client[method]());
      assert.ok(platforms.Desktop > 0 && platforms.Mobile > 0 && platforms.Unknown > 0, method);
    }
    for (const method of [
      'getEmailOpenClientUsage',
      'getEmailOpenReadTimes',
      'getClickBrowserUsage',
      'getClickLocation',
    ]) {
      assert.ok(Object.keys(sums(await client[method]())).length > 1, method);
    }
  });

  test('statistics are of a tag, a stream and days, where they are asked for', async () => {
    const of = async (filter) => (await client.getSentCounts(filter)).Sent ?? 0;
    assert.equal(await of({ tag: 'welcome' }), READERS.length);
    assert.equal(await of({ messageStream: 'outbound' }), ALL);
    assert.equal(await of({ messageStream: 'broadcast' }), 0);
    assert.equal(await of({ fromDate: '2026-08-01', toDate: '2026-08-02' }), 0);
    assert.equal((await refused(client.getSentCounts({ fromDate: '2020-01-01' }))).code, 1500);
  });

  test('suppressions are made, listed by every filter, and lifted where one may', async () => {
    const entries = (...addresses) => ({ Suppressions: addresses.map((EmailAddress) => ({ EmailAddress })) });
    const made = await client.createSuppressions('outbound', entries('mia@x.example', 'nobody', COMPLAINT));
    assert.deepEqual(
      made.Suppressions.map((one) => one.Status),
      ['Suppressed', 'Failed', 'Failed'],
    );
    assert.match(made.Suppressions[2].Message, /authority/);
    await settle();
    const of = async (filter) =>
      (await client.getSuppressions('outbound', filter)).Suppressions.map((one) => one.EmailAddress).sort();
    const all = await of();
    const hard = HARD.filter((address) => address !== reactivated);
    assert.deepEqual(all, [COMPLAINT, 'mia@x.example', ...hard].sort());
    assert.deepEqual(await of({ suppressionReason: 'SpamComplaint' }), [COMPLAINT]);
    assert.deepEqual(await of({ origin: 'Customer' }), ['mia@x.example']);
    assert.deepEqual(await of({ emailAddress: 'mia@x.example' }), ['mia@x.example']);
    assert.deepEqual(await of({ toDate: '2026-08-01' }), []);
    assert.deepEqual((await client.getSuppressions('broadcast')).Suppressions, []);
    const lifted = await client.deleteSuppressions(
      'outbound',
      entries('mia@x.example', COMPLAINT, 'never@x.example'),
    );
    assert.deepEqual(
      lifted.Suppressions.map((one) => one.Status),
      ['Deleted', 'Failed', 'Deleted'],
    );
    await settle();
    assert.ok(!(await of()).includes('mia@x.example'));
  });

  test('there is no inbound mail', async () => {
    assert.deepEqual((await client.getInboundMessages()).InboundMessages, []);
  });
});
