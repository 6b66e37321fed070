// interop.js SOCKET PROTO: gRPC's interoperability cases by a stock @grpc/grpc-js client, over a Unix socket. NODE_PATH leads to the packages.
'use strict';
const http2 = require('http2');
const net = require('net');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [, , SOCKET, PROTO] = process.argv;
const SPECIAL = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n';
const {TestService} = grpc.loadPackageDefinition(loader.loadSync(PROTO, {keepCase: true})).grpc.testing;

function check(condition, text) {
  if (!condition) throw new Error(text);
}

function client(authority) {
  const options = authority === undefined ? {} : {'grpc.default_authority': authority};
  return new TestService('unix:' + SOCKET, grpc.credentials.createInsecure(), options);
}

const soon = () => ({deadline: Date.now() + 30000});

// The answer, or a rejection with the status.
function unary(method, request, authority) {
  const c = client(authority);
  return new Promise((resolve, reject) => {
    c[method](request, soon(), (error, response) => {
      c.close();
      if (error) reject(error);
      else resolve(response);
    });
  });
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('the call succeeded');
}

async function largeUnary() {
  const response = await unary('UnaryCall', {response_size: 314159, payload: {body: Buffer.alloc(271828)}});
  check(response.payload.body.length === 314159, `${response.payload.body.length} bytes came`);
}

function pingPong() {
  const sizes = [[31415, 27182], [9, 8], [2653, 1828], [58979, 45904]];
  const c = client();
  const call = c.FullDuplexCall(soon());
  let at = 0;
  const next = () => call.write({
    response_parameters: [{size: sizes[at][0]}], payload: {body: Buffer.alloc(sizes[at][1])}});
  return new Promise((resolve, reject) => {
    call.on('data', (response) => {
      if (response.payload.body.length !== sizes[at][0]) reject(new Error(`${response.payload.body.length} bytes came`));
      at++;
      if (at < sizes.length) next();
      else call.end();
    });
    call.on('error', reject);
    call.on('end', () => (at === sizes.length ? resolve() : reject(new Error(`${at} answers came`))));
    next();
  }).finally(() => c.close());
}

async function cancelAfterBegin() {
  const c = client();
  const error = await failure(new Promise((resolve, reject) => {
    const call = c.StreamingInputCall(soon(), (e, response) => (e ? reject(e) : resolve(response)));
    setImmediate(() => call.cancel());
  }));
  c.close();
  check(error.code === grpc.status.CANCELLED, String(error));
}

async function timeoutOnSleepingServer() {
  const c = client();
  const error = await failure(new Promise((resolve, reject) => {
    const call = c.FullDuplexCall({deadline: Date.now() + 1});
    call.on('error', reject);
    call.on('end', resolve);
    call.on('data', () => {});
    call.write({payload: {body: Buffer.alloc(27182)}});
  }));
  c.close();
  check(error.code === grpc.status.DEADLINE_EXCEEDED, String(error));
}

async function specialStatusMessage() {
  const error = await failure(unary('UnaryCall', {response_status: {code: 2, message: SPECIAL}}));
  check(error.code === grpc.status.UNKNOWN, String(error));
  check(error.details === SPECIAL, JSON.stringify(error.details));
}

async function unimplementedMethod() {
  const error = await failure(unary('UnimplementedCall', {}));
  check(error.code === grpc.status.UNIMPLEMENTED, String(error));
}

// grpc-js always sends one, so Node's own HTTP/2 makes the request: with a host header it sends no :authority.
function authorityNone() {
  const session = http2.connect('http://localhost', {createConnection: () => net.connect(SOCKET)});
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    const request = session.request({':method': 'POST', ':path': '/grpc.testing.TestService/EmptyCall', 'host': 'localhost',
      'content-type': 'application/grpc', 'te': 'trailers'});
    check(request.sentHeaders[':authority'] === undefined, 'it sent an :authority');
    request.on('trailers', (t) => (t['grpc-status'] === '0' ? resolve() : reject(new Error(`status ${t['grpc-status']}`))));
    request.on('response', (h) => 'grpc-status' in h && reject(new Error(`status ${h['grpc-status']}`)));
    request.on('error', reject);
    request.on('close', () => reject(new Error('it ended without a status')));
    request.resume();
    request.end(Buffer.alloc(5));
  }).finally(() => session.destroy());
}

const cases = {
  large_unary: largeUnary,
  ping_pong: pingPong,
  cancel_after_begin: cancelAfterBegin,
  timeout_on_sleeping_server: timeoutOnSleepingServer,
  special_status_message: specialStatusMessage,
  unimplemented_method: unimplementedMethod,
  authority_localhost: () => unary('EmptyCall', {}, 'localhost'),
  authority_path: () => unary('EmptyCall', {}, SOCKET),
  authority_percent_encoded: () => unary('EmptyCall', {}, encodeURIComponent(SOCKET)),
  authority_none: authorityNone,
};

(async () => {
  let failed = 0;
  for (const [name, run] of Object.entries(cases)) {
    try {
      await run();
      console.log('ok node ' + name);
    } catch (error) {
      failed++;
      console.log(`not ok node ${name}: ${String(error).replace(/\s+/g, ' ')}`);
    }
  }
  process.exit(failed > 0 ? 1 : 0);
})();
