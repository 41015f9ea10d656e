// The same questions as in Answers.java and test_door_clients.py, asked by ClickHouse's client for Node.
import { createRequire } from "node:module";
import { Readable } from "node:stream";

const { createClient } = createRequire(process.env.DOOR_MODULES + "/")("@clickhouse/client");
const client = createClient({
  url: process.env.DOOR_URL,
  username: process.env.DOOR_USER,
  password: process.env.DOOR_PASSWORD,
  compression: { request: true, response: true },
});
const table = process.env.DOOR_TABLE;

const one = await client.query({
  query: "SELECT {a:Int64} AS n, {s:String} AS s, toDate('2026-01-02') AS d, [1, 2] AS l",
  query_params: { a: 7, s: "it's ü" },
  format: "JSONEachRow",
});
const [row] = await one.json();
console.log(`${row.n}|${row.s}|${row.d}|[${row.l.join(", ")}]`);

const values = Readable.from([{ a: 1, b: "one" }, { a: 2, b: "two" }], { objectMode: true });
const done = await client.insert({ table, values, format: "JSONEachRow" });
console.log(`written ${done.summary.written_rows}`);

const many = await client.query({ query: "SELECT number FROM numbers(1000000)", format: "JSONCompactEachRow" });
let count = 0, sum = 0;
for await (const rows of many.stream()) {
  for (const row of rows) {
    count += 1;
    sum += Number(row.json()[0]);
  }
}
console.log(`${count} rows, sum ${sum}`);

try {
  await client.query({ query: "SELECT nothing FROM nowhere" });
  console.log("no error");
} catch (refused) {
  console.log(`error ${refused.code}`);
}

const endless = await client.query({
  query: "SELECT number FROM system.numbers",
  format: "JSONCompactEachRow",
  query_id: process.env.DOOR_QUERY,
});
for await (const rows of endless.stream()) {
  if (rows.length) break;
}
endless.close();
console.log("left");
await client.close();
