// Calls of the official OpenAI SDK.

import OpenAI from "openai";
import { run } from "./run.mjs";

const client = (base, key) =>
  new OpenAI({ baseURL: `${base}/v1`, apiKey: key, maxRetries: 0 });

const kinds = {
  create: (openai, params) => openai.chat.completions.create(params),

  async stream(openai, params) {
    const chunks = [];
    const stream = await openai.chat.completions.create({ ...params, stream: true });
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
  },

  // The helper that puts the whole message together.
  async gather(openai, params) {
    const runner = openai.chat.completions.stream(params);
    return await runner.finalChatCompletion();
  },
};

await run(client, kinds);
