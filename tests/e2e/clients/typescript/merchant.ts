/** A merchant's back end on the generated types. It uses every operation and ends with an error if one differs. */

import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./document.js";
import { body } from "./readme.js";

type Payment = components["schemas"]["PaymentView"];
type Problem = components["schemas"]["ProblemDetails"];
interface Answer<Data> {
  data?: Data;
  error?: Problem;
  response: Response;
}

declare const process: { argv: string[] };
const [, , baseUrl, key] = process.argv;
if (baseUrl === undefined || key === undefined) {
  throw new Error("usage: node merchant.js URL KEY");
}

const used = new Set<string>();
const record: Middleware = {
  onRequest({ request, schemaPath }) {
    used.add(`${request.method.toLowerCase()} ${schemaPath}`);
  },
};
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
client.use(record);

function same<Value>(what: string, found: Value, expected: Value): void {
  if (found !== expected) {
    throw new Error(`${what}: found ${String(found)}, expected ${String(expected)}`);
  }
}

function header(answer: { response: Response }, name: string): string {
  const found = answer.response.headers.get(name);
  if (found === null) {
    throw new Error(`No ${name} in ${answer.response.status} ${answer.response.url}`);
  }
  return found;
}

/** Return the body of an answer that must not be a refusal. */
function taken<Data>(answer: Answer<Data>): Data {
  const { data, error, response } = answer;
  if (data === undefined) {
    // `errors` is never null. It is absent unless single fields are wrong.
    const fields = error?.errors === undefined ? [] : error.errors.map((each) => each.field);
    throw new Error(`${response.status} ${error?.code} ${error?.detail} [${fields.join()}]`);
  }
  return data;
}

/** Return the problem of an answer that must be this refusal. */
function refused<Data>(answer: Answer<Data>, status: number, code: string): Problem {
  if (answer.error === undefined) {
    throw new Error(`${answer.response.status} ${answer.response.url} is no refusal`);
  }
  same("status", answer.response.status, status);
  same("code", answer.error.code, code);
  return answer.error;
}

/** Repeat the request while the read model is behind. */
async function seen<Data>(ask: () => Promise<Answer<Data>>): Promise<Data> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await ask();
    if (answer.error?.code !== "projection_behind") {
      return taken(answer);
    }
  }
  throw new Error("The read model never caught up");
}

let keys = 0;
function command(): { "Idempotency-Key": string } {
  keys += 1;
  return { "Idempotency-Key": `merchant-${keys}` };
}

async function submit(changes: Partial<components["schemas"]["SubmitBody"]>): Promise<Payment> {
  const answer = await client.POST("/api/v1/payments", {
    params: { header: command() },
    body: { ...body, ...changes },
  });
  return taken(answer);
}

function of(payment: Payment): { payment_id: string } {
  return { payment_id: payment.id };
}

function decision(payment: Payment): { "Idempotency-Key": string; "If-Match": string } {
  return { ...command(), "If-Match": `"${payment.version}"` };
}

async function submitsOnce(): Promise<Payment> {
  const params = { header: { "Idempotency-Key": "readme" } };
  const first = await client.POST("/api/v1/payments", { params, body });
  const again = await client.POST("/api/v1/payments", { params, body });
  const payment = taken(first);
  same("id", taken(again).id, payment.id);
  same("replayed", header(again, "Idempotency-Replayed"), "true");
  same("amount", payment.amount, body.amount);
  same("status", payment.status, "pending_review");
  same("band", payment.risk?.band, "high");
  same("reference", payment.reference, body.reference ?? null);
  return payment;
}

async function learnsWhatIsWrong(): Promise<void> {
  const wrong = await client.POST("/api/v1/payments", {
    params: { header: command() },
    body: { ...body, reference: null, amount: 0 },
  });
  const problem = refused(wrong, 400, "invalid_request");
  same("field", problem.errors?.[0]?.field, "amount");
  const taken = await client.POST("/api/v1/payments", { params: { header: command() }, body });
  const { payment_id, errors } = refused(taken, 409, "reference_taken");
  if (payment_id === undefined || errors === undefined) {
    throw new Error("reference_taken names neither the payment nor the field");
  }
}

async function reads(payment: Payment): Promise<void> {
  const headers = { "X-Min-Position": payment.position };
  const one = await seen(() =>
    client.GET("/api/v1/payments/{payment_id}", { params: { path: of(payment), header: headers } }),
  );
  same("read", one.id, payment.id);
  const unchanged = await client.GET("/api/v1/payments/{payment_id}", {
    params: { path: of(payment), header: { "If-None-Match": `"${payment.version}"` } },
  });
  same("unchanged", unchanged.response.status, 304);
  same("body of a 304", unchanged.data, undefined);

  const list = await seen(() =>
    client.GET("/api/v1/payments", {
      params: {
        query: { status: ["pending_review", "completed"], method: "credit_card", limit: 1 },
        header: headers,
      },
    }),
  );
  same("listed", list.payments[0]?.id, payment.id);
  const customer = await client.GET("/api/v1/customers/{customer_id}/payments", {
    params: { path: { customer_id: body.customer_id } },
  });
  same("of the customer", taken(customer).payments.length, 1);
}

async function reviews(payment: Payment): Promise<Payment> {
  let claimed: Payment | undefined;
  while (claimed === undefined) {
    // A 204 means that the payment is not in the queue yet.
    const answer = await client.POST("/api/v1/reviews/claim-next", {
      params: { header: command() },
    });
    if (answer.response.status !== 204) {
      claimed = taken(answer);
    }
  }
  same("claimed", claimed.id, payment.id);
  if (new Date(claimed.open_review?.claimed_until ?? 0) < new Date()) {
    throw new Error("The claim has ended already");
  }
  const path = of(payment);
  taken(
    await client.POST("/api/v1/payments/{payment_id}/release", {
      params: { path, header: command() },
    }),
  );
  taken(
    await client.POST("/api/v1/payments/{payment_id}/claim", {
      params: { path, header: command() },
    }),
  );
  const escalated = taken(
    await client.POST("/api/v1/payments/{payment_id}/escalate", {
      params: { path, header: command() },
      body: { reason: "suspicious_pattern", note: "The third new card today." },
    }),
  );
  const approve = { reason: "known_customer", note: "Called back." } as const;
  const late = await client.POST("/api/v1/payments/{payment_id}/approve", {
    params: { path, header: decision(payment) },
    body: approve,
  });
  same("version", refused(late, 412, "precondition_failed").version, escalated.version);
  const approved = await client.POST("/api/v1/payments/{payment_id}/approve", {
    params: { path, header: decision(escalated) },
    body: approve,
  });
  same("status", taken(approved).status, "completed");
  return taken(approved);
}

async function refunds(payment: Payment): Promise<Payment> {
  const path = of(payment);
  const tooMuch = await client.POST("/api/v1/payments/{payment_id}/refunds", {
    params: { path, header: command() },
    body: { reason: "requested_by_customer", amount: payment.amount + 1, currency: "USD" },
  });
  same("refundable", refused(tooMuch, 422, "refund_too_large").refundable, payment.amount);
  const some = await client.POST("/api/v1/payments/{payment_id}/refunds", {
    params: { path, header: command() },
    body: { reason: "requested_by_customer", amount: 500_000, currency: "USD" },
  });
  same("refunded", taken(some).refunded_amount, 500_000);
  const list = taken(await client.GET("/api/v1/payments/{payment_id}/refunds", { params: { path } }));
  same("refund", list.refunds[0]?.id, taken(some).refund.id);
  return taken(some);
}

async function disputes(payment: Payment): Promise<void> {
  const path = of(payment);
  const stated = {
    kind: "inquiry",
    reason: "fraudulent",
    amount: 500_000,
    currency: "USD",
    network: "visa",
  } as const;
  const opened = await client.POST("/api/v1/payments/{payment_id}/disputes", {
    params: { path, header: command() },
    body: { ...stated, dispute_id: "dp_1042", opened_at: "2026-01-06T09:00:00Z" },
  });
  same("dispute", taken(opened).dispute.amount, 500_000);
  const refund = await client.POST("/api/v1/payments/{payment_id}/refunds", {
    params: { path, header: command() },
    body: { reason: "requested_by_customer" },
  });
  same("open", refused(refund, 409, "dispute_open").dispute_id, "dp_1042");
  const one = { ...path, dispute_id: "dp_1042" };
  const updated = await client.POST("/api/v1/payments/{payment_id}/disputes/{dispute_id}/update", {
    params: { path: one, header: command() },
    body: { ...stated, kind: "chargeback", updated_at: "2026-01-07T09:00:00Z" },
  });
  same("kind", taken(updated).dispute.kind, "chargeback");
  const contested = await client.POST("/api/v1/payments/{payment_id}/disputes/{dispute_id}/respond", {
    params: { path: one, header: command() },
    body: { evidence: ["ab".repeat(32)], responded_at: "2026-01-08T09:00:00Z" },
  });
  same("response", taken(contested).dispute.responded_at, "2026-01-08T09:00:00.000000Z");
  const closed = await client.POST("/api/v1/payments/{payment_id}/disputes/{dispute_id}/close", {
    params: { path: one, header: command() },
    body: { outcome: "lost", lost_amount: 500_000, currency: "USD", closed_at: "2026-01-09T09:00:00Z" },
  });
  same("outcome", taken(closed).dispute.outcome, "lost");
}

async function rejectsAndCancels(): Promise<void> {
  const suspect = await submit({ reference: "order-982", customer_id: "customer-2" });
  const rejected = await client.POST("/api/v1/payments/{payment_id}/reject", {
    params: { path: of(suspect), header: decision(suspect) },
    body: { reason: "suspected_fraud" },
  });
  same("status", taken(rejected).status, "rejected");
  const regretted = await submit({ reference: "order-983", customer_id: "customer-3" });
  const cancelled = await client.POST("/api/v1/payments/{payment_id}/cancel", {
    params: { path: of(regretted), header: command() },
    body: { reason: "requested_by_customer" },
  });
  same("status", taken(cancelled).status, "cancelled");
}

async function looksBack(payment: Payment): Promise<void> {
  const path = of(payment);
  const events = taken(await client.GET("/api/v1/payments/{payment_id}/events", { params: { path } }));
  same("events", events.events.length, payment.version);
  same("first", events.events[0]?.data.amount, body.amount);
  same("last", events.events.at(-1)?.data.refunded, 500_000);
  const first = await client.GET("/api/v1/payments/{payment_id}/state", {
    params: { path, query: { version: 2 } },
  });
  same("status at version 2", taken(first).status, "pending_review");

  const today = payment.updated_at.slice(0, 10);
  const header = { "X-Min-Position": payment.position };
  const days = await seen(() =>
    client.GET("/api/v1/statistics/daily", {
      params: { query: { from: payment.created_at.slice(0, 10), to: today }, header },
    }),
  );
  same("refunded today", days.days[0]?.refunded_volume, 500_000);
  const feed = await following(payment);
  same("last in the feed", feed.at(-1)?.type, "payment.refunded");
  same("refunded in the feed", feed.at(-1)?.data.refunded_amount, 500_000);
  const types = taken(await client.GET("/api/v1/event-types"));
  same("types", types.event_types[0]?.type, "payment.processed");
  const key = taken(await client.GET("/api/v1/key"));
  same("decimals", key.currencies.find((each) => each.code === "USD")?.decimals, 2);
  const projections = taken(await client.GET("/api/v1/projections"));
  if (!projections.projections.some((each) => each.name === "payment_summary")) {
    throw new Error("No payment_summary among the projections");
  }
}

async function following(payment: Payment) {
  const found = [];
  let after = 0;
  while (after < payment.position) {
    const page = taken(await client.GET("/api/v1/events", { params: { query: { after, limit: 2 } } }));
    found.push(...page.events.filter((each) => each.data.payment_id === payment.id));
    after = page.next_after;
  }
  return found;
}

async function receivesWebhooks(): Promise<void> {
  const address = "https://93.184.215.14/webhooks";
  const body = { url: address, event_types: ["payment.processed" as const] };
  const created = taken(await client.POST("/api/v1/webhook-endpoints", { body }));
  const path = { endpoint_id: created.id };
  const again = await client.POST("/api/v1/webhook-endpoints", { body });
  same("endpoint", refused(again, 409, "webhook_url_taken").webhook_endpoint_id, created.id);
  const one = "/api/v1/webhook-endpoints/{endpoint_id}";
  const paused = taken(await client.POST(`${one}/pause`, { params: { path } }));
  same("state", paused.state, "paused");
  const rotated = taken(await client.POST(`${one}/rotate-secret`, { params: { path } }));
  if (rotated.secret === created.secret || rotated.old_secret_until === null) {
    throw new Error("The secret was not rotated");
  }
  const changed = taken(
    await client.PATCH(one, { params: { path }, body: { payload: "thin", description: "Orders" } }),
  );
  same("payload", changed.payload, "thin");
  same("types", changed.event_types[0], "payment.processed");
  const replayed = await client.POST(`${one}/replay`, { params: { path }, body: { after: 0 } });
  same("position", taken(replayed).position, 0);
  const test = taken(await client.POST(`${one}/test`, { params: { path } }));
  same("test", test.message_id.startsWith("evt_test_"), true);
  const attempts = await client.GET(`${one}/attempts`, {
    params: { path, query: { outcome: ["rejected", "dropped"], limit: 1 } },
  });
  same("attempts", taken(attempts).attempts.length, 0);
  const held = taken(await client.GET(`${one}/held`, { params: { path } }));
  same("held payments", held.held_payments.length, 0);
  same("read", taken(await client.GET(one, { params: { path } })).url, address);
  const listed = taken(await client.GET("/api/v1/webhook-endpoints"));
  same("listed", listed.endpoints[0]?.id, created.id);
  same("keys", taken(await client.GET("/api/v1/webhook-keys")).keys[0]?.slice(0, 5), "whpk_");
  same("resumed", taken(await client.POST(`${one}/resume`, { params: { path } })).state, "active");
  const deleted = await client.DELETE(one, { params: { path } });
  same("deleted", deleted.response.status, 204);
  refused(await client.GET(one, { params: { path } }), 404, "webhook_endpoint_not_found");
}

async function listsDisputes(): Promise<void> {
  const query = { status: "closed" as const, limit: 1 };
  const page = taken(await client.GET("/api/v1/disputes", { params: { query } }));
  same("disputes", page.disputes.length <= 1, true);
}

async function testsPolicies(): Promise<void> {
  const listed = taken(await client.GET("/api/v1/policies")).policies;
  const active = listed.find((each) => each.active);
  const policy_id = active?.id ?? "";
  const read = await client.GET("/api/v1/policies/{policy_id}", { params: { path: { policy_id } } });
  same("policy", taken(read).id, policy_id);
  const created = await client.POST("/api/v1/backtests", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { policy_id },
  });
  const path = { backtest_id: taken(created).id };
  const one = "/api/v1/backtests/{backtest_id}";
  same("backtest", taken(await client.GET(one, { params: { path } })).policy_id, policy_id);
  const found = taken(await client.GET("/api/v1/backtests")).backtests;
  same("listed", found[0]?.id, path.backtest_id);
  const cancelled = await client.POST(`${one}/cancel`, { params: { path } });
  if (!cancelled.error) {
    same("state", cancelled.data.state, "cancelled");
  }
}

const payment = await submitsOnce();
await learnsWhatIsWrong();
await reads(payment);
const refunded = await refunds(await reviews(payment));
await disputes(await submit({ reference: "order-984", customer_id: "customer-4", amount: 600_000 }));
await rejectsAndCancels();
await looksBack(refunded);
await receivesWebhooks();
await listsDisputes();
await testsPolicies();
console.log([...used].sort().join("\n"));
