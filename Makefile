# Builds and installs the library, headers, pkg-config files, man pages and milter-try with cargo.
#
#   make                      shared and static library, milter-try
#   make check                the tests that need no network
#   make install              see the variables below; builds nothing, so root needs no cargo
#   make installcheck         compiles a milter against what was installed, and plays it a message
#   make uninstall
#   make dist                 source, crates, and crates of the tests in three archives, below $(TARGET_DIR)/dist
#   make apkbuild             Alpine's APKBUILD with the sums of these archives, beside them
#   make copyright            says anew whose the crates are, after Cargo.lock has changed
#
# Works with GNU make and BSD make. docs/packaging.md tells more.

PREFIX = /usr/local
EXEC_PREFIX = $(PREFIX)
BINDIR = $(EXEC_PREFIX)/bin
LIBDIR = $(EXEC_PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
DATADIR = $(PREFIX)/share
MANDIR = $(DATADIR)/man
DOCDIR = $(DATADIR)/doc/libmilter
PKGCONFIGDIR = $(LIBDIR)/pkgconfig
LICENSEDIR = $(DATADIR)/licenses/libmilter
DESTDIR =

# Name in the dynamic section; the installed files follow it. Debian and Ubuntu: libmilter.so.1.0.1.
# Fedora and openSUSE: libmilter.so.1.0. Alpine and Gentoo: libmilter.so.1.0.2. FreeBSD: libmilter.so.6.
SONAME = libmilter.so.1.0.1

# Release of sendmail that the interface is that of; milters compare it with pkg-config.
SENDMAIL_VERSION = 8.18.1

# What the static library needs beside the C compiler's own; nothing more with glibc 2.34 or newer.
LIBS_PRIVATE = -lpthread -lm -ldl

CARGO = cargo
# With crates from "make dist": --frozen --config packaging/vendored.toml
CARGO_FLAGS = --locked
# A triple, to compile for another machine.
TARGET =
TARGET_DIR = target
INSTALL = install
# Make what is no function of the interface local in the static library; for another machine, its own.
LD = ld
OBJCOPY = objcopy
AR = ar

BUILT = $(TARGET_DIR)/$(TARGET)/release
TRIPLE = $$(test -z "$(TARGET)" || echo --target $(TARGET))

all: lib tool

# Without an rlib beside them (cargo rustc --crate-type) the libraries are optimised at link time.
# Where they are built does not show in them: scripts/rustc.sh; scripts/reproducible.sh compares.
# The plus signs hand make's -j on to cargo.
lib:
	+LIBMILTER_SONAME=$(SONAME) $(CARGO) rustc --release $(CARGO_FLAGS) $(TRIPLE) --target-dir $(TARGET_DIR) \
		--package libmilter --lib --crate-type cdylib --crate-type staticlib
	echo $(SONAME) >$(BUILT)/libmilter.soname
	@mkdir -p $(BUILT)/installed
	LD="$(LD)" OBJCOPY="$(OBJCOPY)" AR="$(AR)" packaging/archive.sh $(BUILT)/libmilter.a $(BUILT)/installed/libmilter.a

tool:
	+$(CARGO) build --release $(CARGO_FLAGS) $(TRIPLE) --target-dir $(TARGET_DIR) --package milter-mta --bin milter-try

check:
	+$(CARGO) test $(CARGO_FLAGS) $(TRIPLE) --target-dir $(TARGET_DIR) \
		--no-fail-fast --package libmilter --package milter-mta

install:
	@INSTALL="$(INSTALL)" DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" EXEC_PREFIX="$(EXEC_PREFIX)" \
		BINDIR="$(BINDIR)" LIBDIR="$(LIBDIR)" INCLUDEDIR="$(INCLUDEDIR)" DATADIR="$(DATADIR)" \
		MANDIR="$(MANDIR)" DOCDIR="$(DOCDIR)" PKGCONFIGDIR="$(PKGCONFIGDIR)" LICENSEDIR="$(LICENSEDIR)" \
		LIBS_PRIVATE="$(LIBS_PRIVATE)" \
		packaging/install.sh install "$(BUILT)" $(SENDMAIL_VERSION)

uninstall:
	@DESTDIR="$(DESTDIR)" BINDIR="$(BINDIR)" LIBDIR="$(LIBDIR)" INCLUDEDIR="$(INCLUDEDIR)" \
		DATADIR="$(DATADIR)" MANDIR="$(MANDIR)" DOCDIR="$(DOCDIR)" PKGCONFIGDIR="$(PKGCONFIGDIR)" \
		LICENSEDIR="$(LICENSEDIR)" packaging/install.sh uninstall "$(BUILT)"

installcheck:
	@packaging/installcheck.sh "$(DESTDIR)" "$(PKGCONFIGDIR)" "$(DATADIR)" "$(BINDIR)"

dist:
	CARGO="$(CARGO)" packaging/dist.sh "$(TARGET_DIR)/dist"

apkbuild:
	packaging/apkbuild.sh "$(TARGET_DIR)/dist"

copyright:
	rm -rf "$(TARGET_DIR)/crates"
	CARGO="$(CARGO)" packaging/vendor.sh "$(TARGET_DIR)/crates"
	packaging/copyright.sh update "$(TARGET_DIR)/crates"

.PHONY: all lib tool check install uninstall installcheck dist apkbuild copyright
