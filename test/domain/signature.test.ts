import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { newSecret, sign, verify } from '../../src/domain/signature.ts';
import { now } from '../support/given.ts';

const secret = newSecret();
const body = JSON.stringify({ type: 'x', text: 'Grüße' });
const message = { id: 'msg_1', body, at: now };

test('what is signed here is what the library of the standard signs, with every secret that is believed', () => {
  const other = newSecret();
  const headers = sign(message, [secret, other]);
  expect(headers).toEqual({
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(now.getTime() / 1_000),
    'webhook-signature': [secret, other].map((each) => new Webhook(each).sign('msg_1', now, body)).join(' '),
  });
  for (const known of [[secret], [other], [newSecret(), secret]])
    expect(verify({ headers, body: Buffer.from(body) }, known, now)).toBe('msg_1');
  expect(verify({ headers, body: Buffer.from(body) }, [newSecret()], now)).toBeUndefined();
  expect(verify({ headers, body: Buffer.from(`${body} `) }, [secret], now)).toBeUndefined();
});

test('the window of five minutes is open at both ends, and not beyond', () => {
  const headers = sign(message, [secret]);
  const at = (seconds: number) =>
    verify({ headers, body: Buffer.from(body) }, [secret], new Date(now.getTime() + seconds * 1_000));
  expect([-301, -300, 0, 300, 301].map((seconds) => at(seconds) !== undefined)).toEqual([
    false,
    true,
    true,
    true,
    false,
  ]);
});

test('how long a check takes does not tell where a signature begins to differ', () => {
  const headers = sign(message, [secret]);
  const right = Buffer.from(headers['webhook-signature']!.slice(3), 'base64');
  const wrongAt = (index: number) => {
    const wrong = Buffer.from(right);
    wrong[index] = wrong[index]! ^ 1;
    return {
      headers: { ...headers, 'webhook-signature': `v1,${wrong.toString('base64')}` },
      body: Buffer.from(body),
    };
  };
  const candidates = [wrongAt(0), wrongAt(31)];
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < 300; round += 1) {
    for (const index of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const began = process.hrtime.bigint();
      for (let n = 0; n < 20; n += 1) expect(verify(candidates[index]!, [secret], now)).toBeUndefined();
      times[index as 0 | 1].push(Number(process.hrtime.bigint() - began));
    }
  }
  // Whatever else the machine does only makes it longer: the shortest time is the check's own.
  const [first, last] = times.map((all) => Math.min(...all));
  expect(Math.abs(first! - last!) / Math.min(first!, last!)).toBeLessThan(0.15);
});
