// A client that openapi-typescript makes, walking a session. Compiled and run by
// generated_clients_test.py, with BASE_URL and KEY set.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const { BASE_URL, KEY } = process.env;
const client = createClient<paths>({ baseUrl: BASE_URL, headers: { Authorization: `Bearer ${KEY}` } });

function good<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (!answer.data) throw new Error(`${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const made = good(await client.POST("/v1/session/message", {
  body: { message: "[[rehearsal words=5 delay_ms=0]]" },
}));
const id = made.session_id;
const stream = await client.GET("/v1/session/{id}/events", {
  params: { path: { id }, query: { after: "start" } }, parseAs: "stream",
});
const decoder = new TextDecoder();
let text = "";
for await (const piece of stream.data as unknown as AsyncIterable<Uint8Array>) {
  text += decoder.decode(piece, { stream: true });
  if (/event: message\.assistant\ndata: .*"final":true/.test(text)) break;
}
const page = good(await client.GET("/v1/sessions/{id}/events", { params: { path: { id } } }));
if (!page.events.some((event) => event.type === "message.assistant")) throw new Error("no answer");
const history = await client.GET("/v1/sessions/{id}/history", { params: { path: { id } } });
if (history.response.status !== 200) throw new Error("no history");
if (good(await client.GET("/v1/sessions/{id}", { params: { path: { id } } })).session_id !== id)
  throw new Error("another session");
if (good(await client.GET("/v1/models")).data[0].object !== "model") throw new Error("no models");
const gone = await client.DELETE("/v1/sessions/{id}", { params: { path: { id } } });
if (gone.response.status !== 204) throw new Error("not deleted");
process.exit(0);
