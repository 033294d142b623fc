// One request over HTTP/2 with trailers, and whether the reply had any.

import http2 from "node:http2";

let input = "";
for await (const part of process.stdin) input += part;
const { base, key, body, trailers } = JSON.parse(input);
const session = http2.connect(base);
const request = session.request(
  {
    ":method": "POST",
    ":path": "/v1/chat/completions",
    "content-type": "application/json",
    authorization: `Bearer ${key}`,
    te: "trailers",
    trailer: Object.keys(trailers).join(", "),
  },
  { waitForTrailers: true },
);
request.on("wantTrailers", () => request.sendTrailers(trailers));
const told = { status: null, headers: {}, body: "", trailers: null };
request.on("response", (headers) => {
  told.status = headers[":status"];
  told.headers = { ...headers };
});
request.on("trailers", (headers) => (told.trailers = { ...headers }));
request.setEncoding("utf8");
request.on("data", (part) => (told.body += part));
await new Promise((done, fail) => {
  request.on("end", done);
  request.on("error", fail);
  request.setTimeout(20_000, () => fail(new Error("no answer")));
  request.end(body);
});
session.close();
process.stdout.write(JSON.stringify(told));
