// May these addresses be mailed? Prints those that may not, with the reasons; exit status 1 if there are any.
//
//     POSTLEDGER_URL=https://… POSTLEDGER_TOKEN=plt_… node check.mjs SERVER STREAM ADDRESS…

const TRIES = 5;

// The answer for at most 10,000 addresses. Asking changes nothing, so it may be asked again.
async function check(base, token, server, stream, addresses) {
  for (let attempt = 0; ; attempt++) {
    const last = attempt === TRIES - 1;
    try {
      const answer = await fetch(`${base}/v1/servers/${server}/check`, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify({ stream, addresses }),
        signal: AbortSignal.timeout(30_000),
      });
      if (answer.ok) return await answer.json();
      const problem = await answer.json();
      if (![429, 500, 502, 503, 504].includes(answer.status) || last) {
        console.error(`${problem.detail}; ${problem.next ?? ""}`);
        process.exit(1);
      }
    } catch (error) {
      if (last) throw error;
    }
    await new Promise((done) => setTimeout(done, (0.5 + Math.random() / 2) * 1000 * 2 ** attempt));
  }
}

const [server, stream, ...addresses] = process.argv.slice(2);
const told = await check(process.env.POSTLEDGER_URL, process.env.POSTLEDGER_TOKEN, server, stream, addresses);
if (!told.stream_known) console.error(`careful: nobody has mailed on the stream ${stream} yet`);
const stopped = told.results.filter((one) => one.verdict === "do_not_send");
for (const one of stopped) console.log(`${one.address}\t${one.reasons.map((reason) => reason.words).join("; ")}`);
for (const one of told.invalid) console.log(`${one.address}\t${one.problem}`);
process.exit(stopped.length + told.invalid.length > 0 ? 1 : 0);
