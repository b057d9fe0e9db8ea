import { beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canBoot, createContainer } from "./support/container.ts";
import { temporaryFolder } from "./support/run.ts";

const folder = temporaryFolder("service");
const canRun = canBoot(join(folder, "trial"));
if (!canRun) process.stderr.write("skipped, for want of systemd-nspawn, root's rights or a kernel that allows it: the service, booted\n");

const KEY = "0123456789abcdef0123";

/** One way in which the keys of clients can be given to the service, as a drop-in. */
const withKeys = (lines: string) => `
systemctl stop faultproxy.service 2> /dev/null
printf '[Service]\\n${lines}' > /etc/systemd/system/faultproxy.service.d/keys.conf
systemctl daemon-reload
echo "without a key: $(ask), with one: $(ask -H 'x-faultproxy-key: ${KEY}'), shown: $(systemctl show faultproxy.service | grep -c ${KEY})"
`;

const KEYED = "without a key: 401, with one: 200, shown: 0\n";

const SCRIPT = `
ask() { curl -s -m 10 -o /dev/null -w '%{http_code}' "$@" -d '{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}' http://127.0.0.1:8888/v1/chat/completions; }
active() { systemctl is-active faultproxy.service; }
systemctl set-environment BUN_BE_BUN=1 BUN_OPTIONS=--preload=/nowhere.js
systemctl start faultproxy.socket
echo "before: $(active)"
echo "first: $(ask)"
echo "second: $(ask)"
echo "after: $(active)"
/opt/faultctl u 1 > /dev/null
echo "commanded: $(ask)"
main=/proc/$(systemctl show --property MainPID --value faultproxy.service)
echo "powers: $(sed -n 's/^CapEff:[[:space:]]*//p' $main/status)"
echo "shadow: $(stat -c %s $main/root/etc/shadow)"
echo "state: $(stat -c %a:%U /var/lib/faultproxy /var/lib/faultproxy/ledger.sqlite | xargs), of all others: $(ls $main/root/var/lib)"
systemctl reload faultproxy.service
echo "reloaded: $?"
echo 'prot = 1' > /etc/xdg/faultproxy/config.toml
systemctl reload faultproxy.service 2> /dev/null
echo "broken: $? $(active)"
echo 'simulate = true' > /etc/xdg/faultproxy/config.toml
systemctl stop faultproxy.service 2> /dev/null
echo "counted: $(HOME=/root /opt/faultproxy cost --csv --by provider | cut -d, -f1-2 | xargs)"
mkdir -p /etc/systemd/system/faultproxy.service.d
(umask 077; echo FAULTPROXY_API_KEYS=${KEY} > /etc/faultproxy.env)
${withKeys("EnvironmentFile=/etc/faultproxy.env\\n")}
printf 'simulate = true\n[server]\napi_keys = ["${KEY}"]\n' > /root/config.toml
${withKeys("LoadCredential=config.toml:/root/config.toml\\nEnvironment=FAULTPROXY_CONFIG=%%d/config.toml\\n")}
systemctl stop faultproxy.socket
echo "stopped: $(active)"
journalctl --unit faultproxy.service --boot --no-pager
`;

describe.skipIf(!canRun)("the service, booted", () => {
  let said = "";
  beforeAll(() => {
    const container = createContainer(join(folder, "machine"));
    container.installUnits();
    writeFileSync(container.path("/etc/xdg/faultproxy/config.toml"), 'simulate = true\nmode = "r 1"\n[cost]\nkeep_days = 7\n', {
      mode: 0o600,
    });
    writeFileSync(container.path("/etc/shadow"), "root:*:::::::\n", { mode: 0o640 });
    mkdirSync(container.path("/var/lib/other"), { recursive: true });
    said = container.boot(SCRIPT);
  }, 60_000);

  test.each([
    ["is started by its first client", "before: inactive\nfirst: 429\n"],
    ["reads a configuration that is root's alone, and runs no code that a variable names", "first: 429\nsecond: 200\nafter: active\n"],
    ["takes root's commands", "commanded: 500\n"],
    ["has none of root's powers", "powers: 0000000000000000\n"],
    ["does not see the passwords", "shadow: 0\n"],
    ["keeps a ledger, and sees nothing else of where services keep things", "state: 700:root 600:root, of all others: faultproxy\n"],
    ["has counted what it answered when it is stopped", "counted: provider,requests openai,3\n"],
    ["reads its configuration again", "reloaded: 0\n"],
    ["lives on when that is broken, and the reload fails", "broken: 1 active\n"],
    ["says where it is broken", 'config.toml:1:1: unknown key "prot"'],
    ["takes keys from a file of variables, and from a credential, and shows them to nobody", `${KEYED}${KEYED}`],
    ["ends with its socket", "stopped: inactive\n"],
  ])("%s", (_, expected) => expect(said).toContain(expected));
});
