/** What Postgres and node:http allow: one prepared statement that makes the whole answer, passed on as text; or a constant one. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';

const event = `json_build_object('id', e.id, 'type', e.type, 'version', e.version, 'effectiveAt', e.effective_at)`;
const timeline = (first: number) => `coalesce((select json_agg(${event}) from (select * from plain.events e
  where e.patient_id = p.id order by e.effective_at desc, e.id desc limit ${first}) e), '[]')`;
const tasks = `coalesce((select json_agg(json_build_object('id', t.id, 'reason', t.reason, 'status', t.status,
  'scheduledFor', t.scheduled_for)) from (select * from plain.tasks t where t.patient_id = p.id and t.status = 'SCHEDULED'
  order by t.id limit 2) t), '[]')`;
const patient = `'id', p.id, 'name', p.name, 'phone', p.phone`;
const list = `select json_build_object('data', json_build_object('patients', json_agg(json_build_object(${patient},
  'events', ${timeline(5)}, 'tasks', ${tasks}))))::text as body from (select * from plain.patients order by id limit 20) p`;
const one = `select json_build_object('data', json_build_object('patient', json_build_object(${patient},
  'events', ${timeline(20)})))::text as body from plain.patients p where id = $1`;

/** Serves on loopback; answers its address. A request's body names an id, or nothing for the list. */
export async function open(databaseUrl: string): Promise<string> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 16 });
  return serve(async (body) => {
    const { id } = JSON.parse(body) as { id?: string };
    const query = id ? { name: 'one', text: one, values: [id] } : { name: 'list', text: list };
    return (await pool.query<{ body: string }>(query)).rows[0]!.body;
  });
}

/** Serves the same answer to whatever is asked. */
export const openConstant = (): Promise<string> =>
  serve((body) => {
    JSON.parse(body);
    return Promise.resolve('{"data":{"__typename":"Query"}}');
  });

async function serve(answer: (body: string) => Promise<string>): Promise<string> {
  const server = createServer((request, response) => {
    read(request)
      .then(answer)
      .then(
        (text) => {
          response.writeHead(200, {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(text),
          });
          response.end(text);
        },
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function read(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}
