# vmferry: "make demo" and "make test" do everything on a fresh Debian 12 machine.

PREFIX ?= /usr/local
# Where zsh and systemd look; a Debian package has other places.
ZSH_DIR ?= site-functions
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
DESTDIR ?=
B ?= build
CFLAGS ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
STD = -std=c11 -D_GNU_SOURCE -pthread
LIBS = -lsodium -lzstd -lxxhash -ljansson -lnbd -lseccomp -pthread

# The only tool that speaks with libvirt, and reads XML.
LIBVIRT_CFLAGS = $(shell pkgconf --cflags libvirt libxml-2.0)
LIBVIRT_LIBS = -lvirt -lvirt-qemu -lxml2

FORMAT = $(sort $(wildcard format/*.c))
CORE = $(sort $(wildcard core/*.c core/*/*.c))
TOOLS = $(filter-out args,$(sort $(patsubst cmd/%.c,%,$(wildcard cmd/*.c))))
BIN = $(patsubst %,$(B)/bin/vmferry-%,$(filter-out vmferry,$(TOOLS))) $(B)/bin/vmferry
OBJ = $(patsubst %.c,$(B)/%.o,$(FORMAT) $(CORE))
MAN1 = $(sort $(wildcard doc/*.1))
MAN5 = $(sort $(wildcard doc/*.5))
MAN7 = $(sort $(wildcard doc/*.7))
UNITS = $(sort $(wildcard doc/systemd/*.service doc/systemd/*.socket))
UNIT = $(patsubst test/unit/%.c,$(B)/test/%,$(sort $(wildcard test/unit/test_*.c)))
COURIER = $(B)/test/courier $(B)/test/roles
GUEST = $(B)/test/guest/made
HOSTILE = $(patsubst test/hostile/%.c,$(B)/test/%,$(sort $(wildcard test/hostile/*.c)))
E2E = $(sort $(wildcard test/e2e/test_*.py))
FUZZ = $(patsubst test/fuzz/%.c,%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
SOURCES = test/dice.h $(wildcard test/guest/*.c) $(wildcard cmd/*.[ch] core/*.[ch] core/*/*.[ch] format/*.[ch] test/unit/*.[ch] test/hostile/*.[ch] test/courier/*.[ch] test/roles/*.[ch] test/fuzz/*.[ch])

# Within a target that does more than build.
BUILD = $(MAKE) -j$(shell nproc)

all: $(BIN)

# The layers: cmd sees core and format, core sees format, format sees only itself.
$(B)/format/%.o: format/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -Iformat -MMD -MP -c -o $@ $<

$(B)/core/%.o: core/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -Icore -Iformat -MMD -MP -c -o $@ $<

$(B)/core/libvirt/%.o: CFLAGS += $(LIBVIRT_CFLAGS)
$(B)/bin/vmferry-libvirt: LIBS += $(LIBVIRT_LIBS)

$(B)/cmd/%.o: cmd/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -Icmd -Icore -Iformat -MMD -MP -c -o $@ $<

# What shells offer, from the man pages.
$(B)/complete_table.c: doc/completion/table.awk $(MAN1)
	@mkdir -p $(@D)
	awk -f doc/completion/table.awk $(MAN1) >$@.part
	mv $@.part $@

$(B)/complete_table.o: $(B)/complete_table.c
	$(CC) $(STD) $(WARN) $(CFLAGS) -Icore -c -o $@ $<

$(B)/libvmferry.a: $(OBJ) $(B)/complete_table.o
	rm -f $@
	ar rcs $@ $^

$(B)/bin/vmferry-%: $(B)/cmd/%.o $(B)/cmd/args.o $(B)/libvmferry.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/bin/vmferry: $(B)/cmd/vmferry.o $(B)/libvmferry.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/test/%: test/unit/%.c $(B)/libvmferry.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -Icore -Iformat -o $@ $< $(B)/libvmferry.a $(LIBS) -larchive -lcriterion

$(B)/test/%: test/hostile/%.c $(wildcard test/hostile/*.h) $(B)/libvmferry.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -Icore -Iformat -o $@ $< $(B)/libvmferry.a $(LIBS)

$(B)/test/courier: test/courier/courier.c test/dice.h $(wildcard test/courier/*.h) $(B)/libvmferry.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -Icore -Iformat -o $@ $< $(B)/libvmferry.a $(LIBS)

$(B)/test/roles: test/roles/roles.c test/dice.h $(wildcard test/roles/*.h) $(B)/libvmferry.a
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -Icore -Iformat -o $@ $< $(B)/libvmferry.a $(LIBS)

# The guest that tests run in QEMU; where it cannot be made, they are skipped.
$(GUEST): $(wildcard test/guest/*)
	test/guest/build.sh $(@D)

demo:
	test/deps.sh demo
	$(BUILD) all
	VMFERRY_BIN=$(B)/bin test/demo.sh

test:
	test/deps.sh test
	$(BUILD) all $(UNIT) $(HOSTILE) $(COURIER) $(GUEST)
	VMFERRY_BIN=$(abspath $(B))/bin VMFERRY_TEST=$(abspath $(B))/test test/run.sh $(UNIT) $(E2E)

# Static checks, and a build with the other compiler.
lint:
	test/deps.sh lint
	test/layers.sh
	clang-format --dry-run -Werror $(SOURCES)
	$(BUILD) B=$(B)/clang CC=clang all
	printf '%s\n' $(FORMAT) $(CORE) $(wildcard cmd/*.c) | xargs -P $$(nproc) -n 24 sh -c \
	    'clang-tidy --quiet "$$@" -- $(STD) -Icmd -Icore -Iformat $(LIBVIRT_CFLAGS)' tidy
	cppcheck -j $$(nproc) --quiet --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
	    --suppress=missingIncludeSystem -D_GNU_SOURCE -Icmd -Icore -Iformat format core cmd
	mandoc -T lint -W warning $(MAN1) $(MAN5) $(MAN7)

# Longer searches, each with a budget of its own (seconds), which the environment may change.
stress:
	test/deps.sh stress
	$(BUILD) all $(UNIT) $(HOSTILE) $(COURIER) $(GUEST)
	VMFERRY_BIN=$(abspath $(B))/bin VMFERRY_TEST=$(abspath $(B))/test test/stress/stress.sh
	$(MAKE) deb

fuzz:
	test/deps.sh fuzz
	B=$(B)/fuzz test/fuzz/fuzz.sh $(FUZZ)

bench:
	test/deps.sh bench
	$(BUILD) all $(GUEST)
	VMFERRY_TEST=$(abspath $(B))/test VMFERRY=$(abspath $(B))/bin/vmferry python3 -B test/bench/bench.py

# Files that name the tools by their path get the right one: put FILE..., to a folder.
define put
	install -d $(DESTDIR)$(2)
	for f in $(1); do \
	    sed 's|/usr/local/bin/vmferry|$(PREFIX)/bin/vmferry|g; s|/usr/local/share/doc/vmferry|$(PREFIX)/share/doc/vmferry|g; s|](doc/|](|g' \
	        "$$f" >"$(DESTDIR)$(2)/$${f##*/}" && chmod 644 "$(DESTDIR)$(2)/$${f##*/}" || exit 1; done
endef
SHARE = $(PREFIX)/share

install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin
	$(call put,$(MAN1),$(SHARE)/man/man1)
	$(call put,$(MAN5),$(SHARE)/man/man5)
	$(call put,$(MAN7),$(SHARE)/man/man7)
	$(call put,README.md LICENSE $(sort $(wildcard doc/*.md)),$(SHARE)/doc/vmferry)
	$(call put,$(sort $(wildcard doc/howto/*.md)),$(SHARE)/doc/vmferry/howto)
	$(call put,$(sort $(wildcard doc/examples/*)),$(SHARE)/doc/vmferry/examples)
	$(call put,$(UNITS),$(UNIT_DIR))
	install -m 755 doc/rescue.py $(DESTDIR)$(SHARE)/doc/vmferry
	install -D -m 644 doc/completion/vmferry.bash $(DESTDIR)$(SHARE)/bash-completion/completions/vmferry
	install -D -m 644 doc/completion/vmferry.zsh $(DESTDIR)$(SHARE)/zsh/$(ZSH_DIR)/_vmferry
	install -D -m 644 doc/completion/vmferry.fish $(DESTDIR)$(SHARE)/fish/vendor_completions.d/vmferry.fish

# Debian packages in build/deb, held against lintian.  LEAN=BUILD takes the tools that are built in that folder.
VERSION = $(shell sed -n 's/^\#define VERSION "\(.*\)"/\1/p' cmd/version.h)
DEB = $(B)/deb/vmferry-$(VERSION)

deb:
	test/deps.sh deb
	rm -rf $(B)/deb
	mkdir -p $(DEB)
	cp -a Makefile README.md LICENSE cmd core format doc $(DEB)
	mv $(DEB)/doc/debian $(DEB)
	printf 'vmferry (%s) unstable; urgency=medium\n\n  * This version; its README says what it does.\n\n -- %s  %s\n' \
	    '$(VERSION)' "$$(sed -n 's/^Maintainer: //p' doc/debian/control)" "$$(date -R -r cmd/version.h)" >$(DEB)/debian/changelog
	cd $(DEB) && env -u MAKEFLAGS -u MFLAGS -u B -u PREFIX -u DESTDIR $(if $(LEAN),VMFERRY_BUILT=$(abspath $(LEAN)) DEB_BUILD_OPTIONS=noautodbgsym) \
	    dpkg-buildpackage -b -us -uc
	lintian --fail-on error,warning $(B)/deb/*.changes

clean:
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' -type f 2>/dev/null)
.SECONDARY:
.PHONY: all demo test lint stress fuzz bench install deb clean
