// A GitHub API on a free port: prints its address as JSON, and ends at the end of its standard input.
import { createEmulator } from "emulate";

const github = await createEmulator({
  service: "github",
  port: 0,
  seed: {
    tokens: { [process.env.TOKEN]: { login: "me", scopes: ["repo", "user"] } },
    github: { users: [{ login: "me" }], repos: [{ owner: "me", name: "shop" }] },
  },
});
console.log(JSON.stringify({ url: github.url }));
process.stdin.on("end", async () => {
  await github.close();
  process.exit(0);
});
process.stdin.resume();
