// Calls of the official Anthropic SDK.

import Anthropic from "@anthropic-ai/sdk";
import { run } from "./run.mjs";

const client = (base, key) =>
  new Anthropic({ baseURL: base, apiKey: key, maxRetries: 0 });

const kinds = {
  create: (anthropic, params) => anthropic.messages.create(params),

  count: (anthropic, params) => anthropic.messages.countTokens(params),

  async stream(anthropic, params) {
    const events = [];
    const stream = await anthropic.messages.create({ ...params, stream: true });
    for await (const event of stream) events.push(event);
    return events;
  },

  // The helper that puts the whole message together.
  gather: (anthropic, params) => anthropic.messages.stream(params).finalMessage(),
};

await run(client, kinds);
