# vmferry: "make demo" and "make test" do everything on a fresh Debian 12 machine.

PREFIX ?= /usr/local
DESTDIR ?=
B ?= build
CC ?= gcc
CFLAGS ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
PKGS = libsodium libzstd libxxhash jansson libnbd libseccomp
STD = -std=c11 -D_GNU_SOURCE -pthread
LIBS = $(shell pkg-config --libs $(PKGS)) -pthread

FORMAT = $(sort $(wildcard format/*.c))
CORE = $(sort $(wildcard core/*.c core/*/*.c))
TOOLS = $(filter-out args,$(sort $(patsubst cmd/%.c,%,$(wildcard cmd/*.c))))
BIN = $(patsubst %,$(B)/bin/vmferry-%,$(filter-out vmferry,$(TOOLS))) $(B)/bin/vmferry
OBJ = $(patsubst %.c,$(B)/%.o,$(FORMAT) $(CORE))
MAN = $(sort $(wildcard doc/*.1 doc/*.5 doc/*.7))
UNIT = $(patsubst test/unit/%.c,$(B)/unit/%,$(sort $(wildcard test/unit/test_*.c)))
FUZZ = $(patsubst test/fuzz/%.c,%,$(sort $(wildcard test/fuzz/fuzz_*.c)))

all: $(BIN)

# The layers: cmd sees core and format, core sees format, format sees only itself.
$(B)/format/%.o: format/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -Iformat -MMD -c -o $@ $<

$(B)/core/%.o: core/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -Icore -Iformat -MMD -c -o $@ $<

$(B)/cmd/%.o: cmd/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(CFLAGS) -Icmd -Icore -Iformat -MMD -c -o $@ $<

$(B)/libvmferry.a: $(OBJ)
	rm -f $@
	ar rcs $@ $^

$(B)/bin/vmferry-%: $(B)/cmd/%.o $(B)/cmd/args.o $(B)/libvmferry.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/bin/vmferry: $(B)/cmd/vmferry.o $(B)/libvmferry.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
.SECONDARY:
.PHONY: all clean

clean:
	rm -rf $(B)
