// Reads a list of calls from standard input, makes them one after the other with
// an official SDK and prints what came of each.

export async function run(makeClient, kinds) {
  let input = "";
  for await (const part of process.stdin) input += part;
  const results = {};
  for (const { name, base, key, call, params } of JSON.parse(input)) {
    try {
      results[name] = { ok: await kinds[call](makeClient(base, key), params) };
    } catch (error) {
      results[name] = {
        error: {
          class: error.constructor.name,
          status: error.status ?? null,
          message: String(error.message),
        },
      };
    }
  }
  process.stdout.write(JSON.stringify(results));
}
