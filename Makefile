# Every recipe is one line: what it does is in scripts/.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help demo up test lint bench pictures fmt clean

# Passed on to what is run, e.g. make up ARGS="--port 9000"
ARGS ?=

help: ## Show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Push a sample repository, call its functions, change one, and show what that took
	@scripts/setup demo && scripts/engine with scripts/ofc demo $(ARGS)

up: ## Run the whole platform on this machine until Ctrl-C
	@scripts/setup demo && scripts/engine with scripts/ofc up $(ARGS)

test: ## Lint, then run every test
	@scripts/setup test && scripts/lint && scripts/engine with scripts/test $(ARGS)

lint: ## Check formats, lints, documentation and dependencies
	@scripts/setup test && scripts/lint

bench: ## Measure against the budgets, each beside its peer
	@scripts/setup bench && scripts/engine with scripts/bench $(ARGS)

pictures: ## Take the pictures of the dashboard in docs/ anew
	@scripts/setup test && scripts/engine with scripts/pictures

fmt: ## Format the code
	@. scripts/env && cargo fmt --all && cargo fmt --manifest-path template/rust/Cargo.toml --all

clean: ## Remove what was compiled
	@. scripts/env && cargo clean && find template samples -name __pycache__ -prune -exec rm -rf {} +
