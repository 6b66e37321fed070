// product.js SOCKET PROTO-DIR INCLUDE-DIR: ackd's own services from stock @grpc/grpc-js, every step one line.
'use strict';
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [socket, protoDir, includeDir] = process.argv.slice(2);
const ADDRESS = '10.9.0.1', PORT = 6002;
const definition = loader.loadSync(
  ['ackd/v1/tcp.proto', 'ackd/v1/inspect.proto', 'ackd/v1/daemon.proto'],
  { includeDirs: [protoDir, includeDir], keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true });
const v1 = grpc.loadPackageDefinition(definition).ackd.v1;
const credentials = grpc.credentials.createInsecure();
const target = 'unix:' + socket;
const tcp = new v1.Tcp(target, credentials);
const inspect = new v1.Inspect(target, credentials);
const daemon = new v1.Daemon(target, credentials);
const s = {};
let failures = 0;

const call = (client, method, request) => new Promise((done, fail) =>
  client[method](request, { deadline: Date.now() + 30000 }, (error, answer) => (error ? fail(error) : done(answer))));
const same = (got, want) => {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${JSON.stringify(got)} is not ${JSON.stringify(want)}`);
};
const until = (stream, found) => new Promise((done, fail) => {
  const timer = setTimeout(() => fail(new Error('nothing came')), 30000);
  const look = (message) => {
    let result;
    try { result = found(message); } catch (error) { clearTimeout(timer); fail(error); return; }
    if (result) { clearTimeout(timer); stream.removeListener('data', look); done(message); }
  };
  stream.on('data', look);
  stream.on('error', () => {});
});
async function step(name, body) {
  try {
    await body();
    console.log(`ok rpc node ${name}`);
  } catch (error) {
    failures++;
    console.log(`not ok rpc node ${name}: ${error.message}`);
  }
}
const ownership = () => ({ session_id: s.session, label: 'node' });

async function main() {
  await step('version', async () => same((await call(daemon, 'GetVersion', {})).schema, 'ackd.v1'));
  await step('session', async () => {
    s.stream = tcp.Session();
    const first = until(s.stream, () => true);
    s.stream.write({ grace_ms: 1000, name: 'node' });
    s.session = (await first).session_id;
  });
  await step('watch', async () => {
    s.watch = inspect.Watch({ initial_snapshot: true, segments: true });
    s.seen = new Set();
    s.watch.on('data', (event) => { if (event.state) s.seen.add(`${event.state.id} ${event.state.new_state}`); });
    await until(s.watch, (event) => event.event === 'synced');
  });
  await step('listen', async () => {
    s.listener = (await call(tcp, 'Listen', { local: { port: PORT }, ownership: ownership() })).id;
  });
  await step('open', async () => {
    const r = await call(tcp, 'Open', { remote: { address: ADDRESS, port: PORT }, ownership: ownership(), wait_ms: 5000 });
    same(r.state, 'STATE_ESTABLISHED');
    s.near = r.id;
  });
  await step('accept', async () => {
    s.far = (await call(tcp, 'Accept', { id: s.listener, ownership: ownership(), wait_ms: 5000 })).id;
    same(s.far > 0, true);
  });
  await step('send and receive by offsets', async () => {
    const data = Buffer.alloc(5000, 'node');
    same((await call(tcp, 'Send', { id: s.near, data })).accepted_until, 5000);
    same((await call(tcp, 'Send', { id: s.near, data })).accepted_until, 5000);
    const got = await call(tcp, 'Receive', { id: s.far, min_bytes: 5000, wait_ms: 5000 });
    same(Buffer.compare(got.data, data), 0);
  });
  await step('stream', async () => {
    const stream = tcp.Stream();
    let down = '';
    const all = until(stream, (message) => { down += message.data.toString(); return down === 'down the stream'; });
    stream.write({ id: s.near, offset: 5000, data: Buffer.from('up the stream'), keep_open: true });
    const got = await call(tcp, 'Receive', { id: s.far, from_offset: 5000, min_bytes: 13, wait_ms: 5000 });
    same(got.data.toString(), 'up the stream');
    await call(tcp, 'Send', { id: s.far, data: Buffer.from('down the stream') });
    await all;
    stream.end();
  });
  await step('list', async () => {
    const ids = [];
    const list = inspect.List({ filter: { label: 'node' } });
    list.on('data', (part) => part.connections.forEach((row) => ids.push(row.id)));
    await new Promise((done, fail) => { list.on('end', done); list.on('error', fail); });
    same(ids, [s.listener, s.near, s.far].sort((a, b) => a - b));
  });
  await step('an error tells errno and reason', async () => {
    const error = await call(tcp, 'Open', { remote: { address: ADDRESS, port: 6999 }, ownership: ownership(), wait_ms: 5000 }).then(
      () => { throw new Error('it was not refused'); }, (e) => e);
    same([grpc.status.UNAVAILABLE, grpc.status.DEADLINE_EXCEEDED].includes(error.code), false);
    const details = error.metadata.get('grpc-status-details-bin')[0].toString('latin1');
    same(details.includes('ECONNREFUSED') && details.includes('RST_IN_SYN_SENT'), true);
  });
  await step('close and end of stream', async () => {
    await call(tcp, 'Close', { id: s.near, how: 'HOW_SEND' });
    const got = await call(tcp, 'Receive', { id: s.far, from_offset: 5013, min_bytes: 1, wait_ms: 5000 });
    same(got.end_of_stream, true);
    await call(tcp, 'Close', { id: s.far });
  });
  await step('watch told it all', async () => {
    const want = ['STATE_SYN_SENT', 'STATE_ESTABLISHED', 'STATE_FIN_WAIT_1'].map((state) => `${s.near} ${state}`);
    if (!want.every((one) => s.seen.has(one))) await until(s.watch, () => want.every((one) => s.seen.has(one)));
    s.watch.cancel();
  });
  s.stream.end();
  process.exit(failures ? 1 : 0);
}
main();
