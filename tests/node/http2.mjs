// Calls over HTTP/2 the way the AWS SDK for Node makes them: its own handler,
// one connection for all, in the clear with prior knowledge or by ALPN.
//
// Reads {base, key, calls: [{name, body, headers?}], together?} from standard
// input; prints what came, and how often a connection was made.

import http2 from "node:http2";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const sessions = [];
const connect = http2.connect;
// The handler calls it by this object.
http2.connect = (...words) => {
  const session = connect(...words);
  sessions.push(session);
  return session;
};
const { NodeHttp2Handler } = require("@smithy/node-http-handler");
const { HttpRequest } = require("@smithy/protocol-http");

let input = "";
for await (const part of process.stdin) input += part;
const { base, key, calls, together } = JSON.parse(input);
const url = new URL(base);
const handler = new NodeHttp2Handler({ requestTimeout: 20_000, sessionTimeout: 60_000 });

async function call({ body, headers }) {
  const request = new HttpRequest({
    protocol: url.protocol,
    hostname: url.hostname,
    port: Number(url.port),
    method: "POST",
    path: "/v1/chat/completions",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${key}`,
      "content-length": String(Buffer.byteLength(body)),
      ...headers,
    },
    body,
  });
  try {
    const { response } = await handler.handle(request);
    const parts = [];
    for await (const part of response.body) parts.push(part);
    return {
      status: response.statusCode,
      headers: response.headers,
      body: Buffer.concat(parts).toString(),
      parts: parts.length,
    };
  } catch (error) {
    return { error: String(error.message) };
  }
}

const results = {};
if (together) {
  const answers = await Promise.all(calls.map(call));
  calls.forEach(({ name }, at) => (results[name] = answers[at]));
} else {
  for (const one of calls) results[one.name] = await call(one);
}
const alpn = sessions.map((session) => session.alpnProtocol ?? session.socket?.alpnProtocol ?? null);
process.stdout.write(JSON.stringify({ results, sessions: sessions.length, alpn }));
handler.destroy();
