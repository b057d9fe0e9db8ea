/** `faultproxy credentials WORDS…` as on another machine: what is told of it as JSON stands before the words. */
import { readCall } from "../../src/cli/arguments.ts";
import { type Host, thisHost } from "../../src/cli/credentials/host.ts";
import { CREDENTIALS, runCredentials } from "../../src/cli/credentials.ts";
import { printed } from "../../src/cli/print.ts";
import { isInputError } from "../../src/core/errors.ts";

const [machine = "{}", ...words] = process.argv.slice(2);
const changes: Partial<Host> = JSON.parse(machine);
const call = readCall(CREDENTIALS, words);
if (isInputError(call)) throw new Error(call.message);
const code = await runCredentials(call, { ...thisHost(), ...changes });
await printed();
process.exit(code);
