// What a program does with the read API through a client whose types openapi-typescript generated from its description.
//
// Asks for POSTLEDGER_URL and POSTLEDGER_TOKEN in the environment, and a server, a stream and an address as arguments.
// Prints the same lines as example.py.

import createClient from "openapi-fetch";
import type { components, paths } from "./postledger-client.js";

declare const process: { argv: string[]; env: Record<string, string | undefined> };

type Answer<T> = { data?: T; error?: unknown };

/** The answer that is asked for; a problem ends the program. */
function told<T>({ data, error }: Answer<T>): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

/** A list as Python prints one. */
const list = (values: (string | number)[]) =>
  `[${values.map((value) => (typeof value === "number" ? value : `'${value}'`)).join(", ")}]`;

const [server, stream, address] = [Number(process.argv[2]), process.argv[3]!, process.argv[4]!];
const client = createClient<paths>({
  baseUrl: process.env["POSTLEDGER_URL"]!,
  headers: { Authorization: `Bearer ${process.env["POSTLEDGER_TOKEN"]}` },
});
const here = { path: { server } };

const servers = told(await client.GET("/v1/servers"));
console.log("servers", list(servers.items.map((one) => one.server)), servers.role);

const asked: components["schemas"]["CheckRequest"] = { stream, addresses: [address, "none", "bob@customer.example"] };
const checked = told(await client.POST("/v1/servers/{server}/check", { params: here, body: asked }));
for (const result of checked.results) {
  console.log("check", result.address, result.verdict, list(result.reasons.map((reason) => reason.code)));
}
for (const invalid of checked.invalid) console.log("check", invalid.address, invalid.problem);

const of = { params: { path: { server, address } } };
const recipient = told(await client.GET("/v1/servers/{server}/recipients/{address}", of));
for (const [name, on] of Object.entries(recipient.streams)) console.log("recipient", name, on.verdict);

const timeline = told(await client.GET("/v1/servers/{server}/recipients/{address}/timeline", of));
for (const entry of timeline.items) {
  console.log("timeline", `${entry.time.slice(0, 19)}+00:00`, entry.type, entry.stream);
}

const listed = { params: { path: { server, stream } } };
const page = told(await client.GET("/v1/servers/{server}/streams/{stream}/suppressions", listed));
if (typeof page === "string") throw new Error("a page of JSON was asked for");
for (const one of page.items) console.log("suppression", one.address, list(one.causes));

const stats = told(await client.GET("/v1/servers/{server}/stats", { params: here }));
console.log("stats", stats.server, stats.zone);

const imported = told(
  await client.POST("/v1/servers/{server}/import", {
    params: { ...here, query: { stream: "*", cause: "manual", dry_run: true } },
    body: `email\n${address}\nnone\n`,
    bodySerializer: (rows) => rows,
    headers: { "Content-Type": "application/octet-stream" },
  }),
);
console.log("import", imported.rows, imported.counts.new, imported.counts.invalid);

const elsewhere = { path: { server: server + 1 } };
const unknown = await client.POST("/v1/servers/{server}/check", { params: elsewhere, body: asked });
console.log("problem", unknown.error?.type);

const activity = await client.GET("/v1/servers/{server}/activity", { params: here });
console.log("activity", activity.response.status);
