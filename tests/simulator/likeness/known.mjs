// Where the package's types and Postmark's documentation differ, and what the package has that is not simulated.

const when = (so, some) => (so ? some : {});

// Every known difference in a run with these open facts: those that it is certain to meet, and those it may.
export function knownDifferences(quirks, relaunched) {
  const unknown = (...forms) => forms.includes(quirks.unknown);
  const certain = {
    'Bounce.RecordType is absent': 'The documentation shows it in lists only, not in a single bounce.',
    "Bounce.RecordType is not 'Bounce'": 'A spam complaint is a row of the list too.',
    'Bounce.From is absent': 'The row of a spam complaint has none.',
    'InboundMessages.TotalCount is a number': 'So it is documented.',
    'MessageSendingResponse.MessageID is absent':
      'A message of a batch that is refused has a code and a text only.',
    'MessageSendingResponse.SubmittedAt is absent': 'The same.',
    'MessageStreamArchiveResponse.ID is a string': 'Ids of streams are words.',
    'OpenEvent.FirstOpen is not declared': 'Rows have it as webhooks do.',
    'Recipient.Name is a null': 'So it is documented.',
    'SentCounts.Sent is absent': 'Statistics leave out what is 0.',
    'SuppressionStatus.Message is a null': 'It is null where nothing failed.',
    'Template.AssociatedServerId is absent':
      'What makes or changes a template is answered without its contents.',
    'Template.HtmlBody is absent': 'The same.',
    'Template.Subject is absent': 'The same.',
    'Template.TextBody is absent': 'The same.',
    'TemplatePushAction.TemplateType is not declared': 'So it is documented.',
    ...when(relaunched, { 'Webhook.Status is not declared': 'Since August 2026; no SDK has it yet.' }),
    ...when(!quirks.total_count_is_text, {
      'OutboundMessages.TotalCount is a number': 'So it is documented.',
    }),
    ...when(quirks.total_count_is_text, {
      'OutboundMessageOpens.TotalCount is a string': 'As the package has it for messages.',
      'OutboundMessageClicks.TotalCount is a string': 'The same.',
    }),
    ...when(quirks.bounce_id_is_text, { 'BounceEvent.Details.BounceID is a string': 'So it is documented.' }),
    ...when(!quirks.read_seconds, { 'OpenWebhook.ReadSeconds is absent': 'Many examples have none.' }),
    ...when(quirks.server_id_in_camel_case, {
      'BounceWebhook.ServerID is absent': 'Some examples write ServerId.',
      'BounceWebhook.ServerId is not declared': 'The same.',
      'DeliveryWebhook.ServerID is absent': 'The same.',
      'DeliveryWebhook.ServerId is not declared': 'The same.',
      'SpamComplaintWebhook.ServerID is absent': 'The same.',
      'SpamComplaintWebhook.ServerId is not declared': 'The same.',
    }),
  };
  const possible = {
    'ClientDetails.Company is absent': 'A program that is not known has no words.',
    'ClientDetails.Family is absent': 'The same.',
    'ClientDetails.Name is absent': 'The same.',
    ...when(unknown('Null', 'Empty', 'Varies'), {
      'ClientDetails is a null': 'What is not known may be null.',
      'GeoLocation is a null': 'The same.',
    }),
    ...when(
      unknown('Absent', 'Varies'),
      Object.fromEntries(
        ['OpenEvent', 'ClickEvent', 'OpenWebhook', 'ClickWebhook'].flatMap((event) =>
          ['Client', 'OS', 'Geo'].map((part) => [
            `${event}.${part} is absent`,
            'What is not known may be left out.',
          ]),
        ),
      ),
    ),
    ...when(quirks.no_can_activate_share > 0, {
      'Bounce.CanActivate is absent': 'Integrators have seen bounces without it.',
      'BounceWebhook.CanActivate is absent': 'The same.',
      'SpamComplaintWebhook.CanActivate is absent': 'The same.',
    }),
    ...Object.fromEntries(
      [
        'OpenCounts.Days.Unique',
        'ClickCounts.Days.Unique',
        'ClickLocationCounts.Days.HTML',
        'ClickLocationCounts.Days.Text',
      ]
        .concat(
          ['Desktop', 'Mobile', 'Unknown'].map((platform) => `ClickPlatformUsageCounts.Days.${platform}`),
        )
        .map((count) => [`${count} is absent`, 'Statistics leave out what is 0 on a day.']),
    ),
  };
  return { certain, possible };
}

// Methods of the package that have nothing here to answer them, each with the reason. All of them get a 404.
export const notSimulated = {
  ...reason('bulk sending needs an approval of its own', 'ServerClient', [
    'sendBulkEmail',
    'getBulkEmailStatus',
  ]),
  ...reason('there is no inbound mail', 'ServerClient', [
    'getInboundMessageDetails',
    'bypassBlockedInboundMessage',
    'retryInboundHookForMessage',
    'createInboundRuleTrigger',
    'deleteInboundRuleTrigger',
    'getInboundRuleTriggers',
  ]),
  ...reason('every sender is taken as confirmed', 'AccountClient', [
    'getDomains',
    'getDomain',
    'createDomain',
    'editDomain',
    'deleteDomain',
    'verifyDomainDKIM',
    'verifyDomainReturnPath',
    'verifyDomainSPF',
    'rotateDomainDKIM',
    'getSenderSignature',
    'getSenderSignatures',
    'createSenderSignature',
    'editSenderSignature',
    'deleteSenderSignature',
    'resendSenderSignatureConfirmation',
    'verifySenderSignatureSPF',
    'requestNewDKIMForSenderSignature',
  ]),
  ...reason('nothing is removed on request', 'AccountClient', ['requestDataRemoval', 'getDataRemovalStatus']),
};

function reason(why, client, methods) {
  return Object.fromEntries(methods.map((method) => [`${client}.${method}`, why]));
}
