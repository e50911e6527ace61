import twilio from 'twilio';
import { expect, test } from 'vitest';

import { parseTwiml, TwimlError } from '../../src/simulator/twiml.ts';

test('reads what the official SDK writes', () => {
  const response = new twilio.twiml.VoiceResponse();
  response.say({ voice: 'Polly.Joanna', loop: 2 }, `It's "5 < 6" & more: é 你`);
  response.gather({ numDigits: 1 }).say('Press 1.');
  response
    .connect({ action: 'https://a.test/ended?a=1&b=2' })
    .conversationRelay({ url: 'wss://a.test/relay' });
  expect(parseTwiml(response.toString())).toMatchObject([
    { name: 'Say', attributes: { voice: 'Polly.Joanna', loop: '2' }, text: `It's "5 < 6" & more: é 你` },
    { name: 'Gather', children: [{ name: 'Say', text: 'Press 1.' }] },
    {
      name: 'Connect',
      attributes: { action: 'https://a.test/ended?a=1&b=2' },
      children: [{ name: 'ConversationRelay', attributes: { url: 'wss://a.test/relay' } }],
    },
  ]);
});

test('reads comments, CDATA, numeric entities, single quotes and an empty response', () => {
  const source = `<?xml version='1.0'?>\n<!-- <Say> -->\n<Response >
    <Play digits='1"2'/><Say><![CDATA[a < b & c]]></Say><Say>&#65;&#x42;</Say>
  </Response>\n`;
  expect(parseTwiml(source)).toMatchObject([
    { name: 'Play', attributes: { digits: '1"2' } },
    { name: 'Say', text: 'a < b & c' },
    { name: 'Say', text: 'AB' },
  ]);
  expect(parseTwiml('<Response/>')).toEqual([]);
});

test.each([
  '',
  'hello',
  '<Say>Hello</Say>',
  '<Response>',
  '<Response></Say></Response>',
  '<Response><Say>Hello</Response></Say>',
  '<Response/><Response/>',
  '<Response/></Response>',
  '<Response><Say voice=alice>Hello</Say></Response>',
  '<Response><Say>Tom & Jerry</Say></Response>',
  '<Response><Say>&nbsp;</Say></Response>',
  '<Response><Say>&#1114112;</Say></Response>',
  '<!DOCTYPE html><Response/>',
  '{"Response":{}}',
])('refuses %s', (source) => {
  expect(() => parseTwiml(source)).toThrow(TwimlError);
});
