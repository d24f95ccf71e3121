// May these addresses be mailed? Prints those that may not, with the reasons.
//
//     POSTLEDGER_URL=https://… POSTLEDGER_TOKEN=plt_… node check.mjs SERVER STREAM ADDRESS…
//
// Exit status 0: each of them was answered, and may be mailed.  1: at least one may not.  2: they were not answered.

const TRIES = 5;
const PASSES = [429, 500, 502, 503, 504];

// The answer for at most 10,000 addresses. Asking changes nothing, so it may be asked again.
async function check(base, token, server, stream, addresses) {
  for (let attempt = 0; ; attempt++) {
    const last = attempt === TRIES - 1;
    try {
      const answer = await fetch(`${base.replace(/\/+$/, "")}/v1/servers/${server}/check`, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify({ stream, addresses }),
        // Whoever leads elsewhere is not the API, and the token is not for them.
        redirect: "manual",
        signal: AbortSignal.timeout(30_000),
      });
      if (answer.status === 200) return await answer.json();
      if (last || !PASSES.includes(answer.status)) throw new Refused(await problem(answer));
    } catch (error) {
      if (last || error instanceof Refused || error instanceof SyntaxError) throw error;
    }
    await new Promise((done) => setTimeout(done, (0.5 + Math.random() / 2) * 1000 * 2 ** attempt));
  }
}

class Refused extends Error {}

// What a refusal says; whoever stands between may have refused in other words.
async function problem(answer) {
  const told = await answer.json().catch(() => null);
  return told?.detail ? `${told.detail}; ${told.next ?? ""}` : `the answer was ${answer.status}`;
}

// Those that may not be mailed, with the reasons. An answer that is not about each of them is none.
function blocked(told, stream, addresses) {
  const invalid = new Map(told.invalid.map((one) => [one.index, one.problem]));
  const results = [...told.results];
  if (told.stream !== stream || told.stream_known !== true) {
    throw new Refused(`nobody knows the stream ${stream} at this server`);
  }
  const found = [];
  addresses.forEach((address, index) => {
    if (invalid.has(index)) return found.push([address, invalid.get(index)]);
    const result = results.shift();
    if (result?.address !== address) throw new Refused("the answer is about others");
    // A verdict that is new is none to mail by.
    if (result.verdict !== "send" && result.verdict !== "risky") {
      found.push([address, result.reasons.map((reason) => reason.words).join("; ")]);
    }
  });
  if (results.length > 0) throw new Refused("the answer is about others too");
  return found;
}

// Whatever goes wrong: it is no leave to mail.
process.exitCode = 2;
try {
  const [server, stream, ...addresses] = process.argv.slice(2);
  if (addresses.length === 0) throw new Refused("there is no address to ask about");
  const { POSTLEDGER_URL: base, POSTLEDGER_TOKEN: token } = process.env;
  if (!base || !token) throw new Refused("POSTLEDGER_URL and POSTLEDGER_TOKEN say where to ask, and as whom");
  const found = blocked(await check(base, token, server, stream, addresses), stream, addresses);
  for (const [address, why] of found) console.log(`${address}\t${why}`);
  process.exitCode = found.length > 0 ? 1 : 0;
} catch (error) {
  console.error(error instanceof Refused ? error.message : `not answered: ${error}`);
}
