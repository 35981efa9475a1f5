# The front door. `make` builds; `make run` and `make check` do everything from a fresh Debian 12 on.
BUILD ?= build
MESON_FLAGS ?=

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) $(MESON_FLAGS) >/dev/null || { rm -rf $(BUILD); echo "setup failed; 'make setup' installs what is needed" >&2; exit 1; }

setup:
	@tools/setup.sh

run: setup all
	@tools/run-dev.sh $(BUILD)

check: setup all
	@tools/check.sh $(BUILD)

bench: all
	@tools/bench.sh $(BUILD)

asan:
	@$(MAKE) --no-print-directory BUILD=build-asan MESON_FLAGS="-Db_sanitize=address,undefined -Dbuildtype=debugoptimized -Db_lundef=false" all
	@tools/check.sh build-asan

clang:
	@CC=clang $(MAKE) --no-print-directory BUILD=build-clang all
	@tools/check.sh build-clang

fuzz:
	@CC=clang $(MAKE) --no-print-directory BUILD=build-fuzz MESON_FLAGS="-Dfuzzers=true -Dtests=false -Db_sanitize=address,undefined -Db_lundef=false" all
	@tools/fuzz.sh build-fuzz

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: all
	@meson install -C $(BUILD)

clean:
	@rm -rf build build-asan build-clang build-fuzz

.PHONY: all setup run check bench asan clang fuzz format install clean
