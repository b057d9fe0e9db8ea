# Needs only make, and Node.js with npm or Bun. `make help` lists the targets.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := node_modules/.bin
BUN := $(BIN)/bun
INSTALLED := node_modules/.installed
BINARY := dist/faultproxy
SOURCES := $(shell find src -name '*.ts') package.json tsconfig.json packaging/build.ts packaging/platforms.ts

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(BINARY) ## see the faults at work with real SDK clients, offline
	$(BUN) test/demo/sdk-demo.ts

test: lint check $(BINARY) ## lint, types, all tests, the built binary end to end
	$(BUN) test/all.ts $(TESTS)

run: $(INSTALLED) ## start the proxy from source; make run ARGS="--port 9000"
	$(BUN) src/main.ts serve $(ARGS)

build: $(BINARY) ## build dist/faultproxy for this machine

dist: $(INSTALLED) ## build the release files for every platform, with checksums
	$(BUN) packaging/build.ts --all

matrix: $(BINARY) ## measure what the gateway makes of failures, and write docs/gateway-matrix.md
	$(BUN) test/e2e/support/gateway-matrix-page.ts

failover: $(BINARY) ## measure what a route makes of failures, and write docs/failover-matrix.md
	$(BUN) test/e2e/support/route-failures-page.ts

bench: $(BINARY) ## measure speed and memory
	$(BUN) bench/bench.ts $(ARGS)

soak: $(BINARY) ## routes under faults for two minutes, or SECONDS=600: what they lose or leave behind
	$(BUN) bench/soak.ts $(or $(SECONDS),120) $(SEED)

lint: $(INSTALLED) ## check style
	$(BUN) $(BIN)/biome check

check: $(INSTALLED) ## check types
	$(BUN) $(BIN)/tsc -p .

man: $(INSTALLED) ## build the manual pages, and check them where mandoc is there
	@$(BUN) packaging/man.ts

completions: $(INSTALLED) ## build the completions of bash, zsh and fish
	@$(BUN) packaging/completions.ts

source: $(INSTALLED) ## pack the sources at HEAD, and what builds them offline
	@$(BUN) packaging/source.ts

rpm: source ## build the RPM packages; RPM_FLAGS="--with selinux" adds the policy
	rm -rf dist/rpm
	rpmbuild -ba --quiet $(if $(wildcard /etc/debian_version),--nodeps) $(RPM_FLAGS) --define '_topdir $(CURDIR)/dist/rpm/build' \
	  --define '_sourcedir $(CURDIR)/dist/source' --define '_rpmdir $(CURDIR)/dist/rpm' --define '_srcrpmdir $(CURDIR)/dist/rpm' \
	  --define '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' packaging/rpm/faultproxy.spec

deb: $(BINARY) ## build the Debian package of what is here
	@$(BUN) packaging/man.ts
	@$(BUN) packaging/completions.ts
	packaging/deb/build.sh

npm: $(BINARY) ## lay out the npm packages; NPM_FLAGS=--release takes what `make dist` built
	@$(BUN) packaging/npm.ts $(NPM_FLAGS)

formula: $(INSTALLED) ## write the Homebrew formula for what `make dist` built; FROM=https://... is where it lies
	@$(BUN) packaging/homebrew/formula.ts "$(FROM)"

fmt: $(INSTALLED) ## bring the sources into the project's style
	$(BUN) $(BIN)/biome check --write

clean: ## remove what was built
	rm -rf dist

$(BINARY): $(INSTALLED) $(SOURCES)
	$(BUN) packaging/build.ts

# The lock files say which versions; an installation of others is no installation.
$(INSTALLED): package.json package-lock.json
	@if command -v npm > /dev/null; then npm ci --no-audit --no-fund; \
	elif command -v bun > /dev/null; then bun install --frozen-lockfile; \
	else echo "make: install Node.js (with npm) or Bun first" >&2; exit 1; fi
	@touch $@

.PHONY: help demo test run build dist matrix failover bench lint check man completions source rpm deb npm formula fmt clean
