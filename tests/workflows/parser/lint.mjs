// Prints what GitHub's own parser has to say about workflows, as JSON: node lint.mjs ROOT STAND-INS FILE...
import { existsSync, readFileSync } from "node:fs";
import { register } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

// The package imports JSON files in a way that Node 20 refuses and later ones bear.
const loader = `
  import { readFileSync } from "node:fs";
  import { fileURLToPath } from "node:url";
  export async function load(url, context, next) {
    if (!url.endsWith(".json")) return next(url, context);
    return { format: "module", shortCircuit: true, source: "export default " + readFileSync(fileURLToPath(url), "utf8") };
  }`;
register("data:text/javascript," + encodeURIComponent(loader));
const { validate } = await import("@actions/languageservice");
const { TextDocument } = await import("vscode-languageserver-textdocument");

const [root, standins, ...files] = process.argv.slice(2);
// Of files in this repository `owner` and `version` are not asked: a reference to them has only a path.
const fileProvider = {
  getFileContent: async (reference) => {
    const file = path.join(root, reference.path.replace(/^(\.|\$)\//, ""));
    return { name: reference.path, content: readFileSync(file, "utf8") };
  },
};
// What a third-party action takes is what its stand-in declares, one input to a line.
const inputsOf = (action) => {
  const section = readFileSync(action, "utf8").split(/^(?=\S)/m).find((part) => part.startsWith("inputs:")) ?? "";
  const lines = section.split("\n").slice(1).filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => [line.trim().split(":")[0], { description: "", required: line.includes("required: true") }]),
  );
};
const actionsMetadataProvider = {
  fetchActionMetadata: async ({ name, path: folder }) => {
    const action = path.join(standins, name, folder ?? "", "action.yml");
    return existsSync(action) ? { name, description: "", inputs: inputsOf(action) } : undefined;
  },
};

const found = [];
for (const file of files) {
  const text = readFileSync(file, "utf8");
  const document = TextDocument.create(pathToFileURL(file).href, "yaml", 0, text);
  for (const problem of await validate(document, { fileProvider, actionsMetadataProvider })) {
    found.push({ file: path.relative(root, file), line: problem.range.start.line + 1, message: problem.message });
  }
}
console.log(JSON.stringify({ files: files.length, found }));
