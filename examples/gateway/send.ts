// Send two predictions, and the truth of one of them, to a Hindcast gateway.
//
//   GATEWAY_URL=http://127.0.0.1:8700 GATEWAY_KEY=hgk_... node send.ts
//
// Node 22.18 or newer runs it as it is; it needs no package.

interface Problem {
  index: number;
  field: string;
  reason: string;
}

interface Answer {
  accepted: number;
  refused: number;
  ids?: (string | null)[];
  outcomes?: string[];
  errors?: Problem[];
  error?: string;
}

const url = process.env.GATEWAY_URL ?? "http://127.0.0.1:8700";
const key = process.env.GATEWAY_KEY ?? "none";
const attempts = 5;

// Posts items. Where the gateway has no room (429, 503) it waits and sends them again: ids and times stand in the items,
// so what is said twice counts once.
async function send(path: string, items: object[]): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(`${url}/v1/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
      body: JSON.stringify(items),
      signal: AbortSignal.timeout(60_000),
    });
    const answer = (await response.json()) as Answer;
    if (response.ok) {
      return answer;
    }
    const seconds = Number(response.headers.get("Retry-After"));
    if (!seconds || attempt === attempts) {
      const problems = answer.errors?.map((one) => `item ${one.index} ${one.field}: ${one.reason}`);
      throw new Error(`${response.status}: ${answer.error ?? problems?.join("; ") ?? "not durable"}`);
    }
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

const id = process.env.PREDICTION_ID ?? crypto.randomUUID();
const now = new Date().toISOString();
const prediction = { event_time: now, model: "delivery", model_version: "7" };

const taken = await send("predictions", [
  { ...prediction, prediction_id: `${id}-1`, features: { distance_km: 3.2, vehicle: "bike" }, score: 21.5 },
  { ...prediction, prediction_id: `${id}-2`, features: { distance_km: 12.0, vehicle: "van" }, score: 44.0 },
]);
console.log(`${taken.accepted} predictions taken, ${taken.refused} refused`);
for (const problem of taken.errors ?? []) {
  console.error(`item ${problem.index} ${problem.field}: ${problem.reason}`);
}

const label = { label_id: `${id}-1-arrived`, prediction_id: `${id}-1`, model: "delivery" };
const told = await send("labels?durable=true", [{ ...label, truth_value: 25.0, reported_at: now }]);
console.log(`label ${told.outcomes?.[0]}`);
