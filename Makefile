# SPDX-License-Identifier: MIT
# The front door. Meson does the work; this names the ways in.

# Where `make install` puts things; empty: what the build folder was made with, /usr/local.
PREFIX =
DESTDIR =
PART =
ONLY =

.PHONY: all demo check asan tsan explore bench night install setup help
.DEFAULT_GOAL := all

all: build/build.ninja
	@ninja -C build

build/build.ninja:
	@tools/setup build
	meson setup build -Dwerror=true $(if $(PREFIX),--prefix=$(PREFIX))

setup:
	@tools/setup build check demo bench night

demo: all
	@tools/setup demo
	@examples/search/demo

check:
	@tools/setup build check
	@tools/check

asan tsan:
	@tools/setup build check
	@tools/check $@

explore: all
	@build/tests/explore/explore

bench: all
	@tools/setup bench
	@bench/run $(if $(ONLY),--only $(ONLY))

night: all
	@tools/setup night
	@tools/night $(PART)

# The prefix is compiled into the library, so another one means another build.
install: all
	$(if $(PREFIX),meson configure build --prefix=$(PREFIX) && ninja -C build)
	DESTDIR=$(DESTDIR) meson install -C build --no-rebuild
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || PATH=$$PATH:/sbin ldconfig

help:
	@echo 'make            build the library and the command in build/'
	@echo 'make demo       search protein sequences on all cores, start to finish'
	@echo 'make check      every check: style, gcc, clang, address and thread sanitizers'
	@echo 'make asan tsan  the test suite under one sanitizer'
	@echo 'make explore    the schedule explorer: every harness, every planted bug'
	@echo 'make bench      measure against the targets; ONLY=submit, latency, … a part of it'
	@echo '                bench/instructions counts instead, and is as sure on a busy machine'
	@echo 'make night      list the long tests; PART=n runs one'
	@echo 'make install    with PREFIX=/usr and DESTDIR=folder, if wanted'
	@echo 'make setup      install every Debian package that any of these needs'
	@echo
	@echo 'Missing Debian packages are installed on the way, and named. REMUDA_NO_INSTALL=1 only'
	@echo 'prints the command. tools/check --help tells how to run parts of the checks.'
