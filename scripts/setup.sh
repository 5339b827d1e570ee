# shellcheck shell=sh
# Sourced by the other scripts: finds the tools they need and installs what is missing.
#
#   setup NEED...    NEED: build, test (adds what only the tests use), lint (adds rustfmt, clippy, ...),
#                    abi (adds what compares interfaces), cross (adds compilers and emulators for other machines),
#                    package (adds what makes packages and chroots)
#
# Says what it will install, and how, before it does. Installs nothing when nothing is missing.
# Works on Debian and Ubuntu as root or through sudo; elsewhere it says what to install by hand.
# Leaves a cargo that is new enough first in PATH.

# Minor version of the oldest Rust 1.x that compiles the project; same as rust-version in Cargo.toml.
RUST_MINOR=88

die() {
    echo "error: $*" >&2
    exit 1
}

# target_dir NAME: a directory of a script's own below cargo's, which it makes as cargo would: the tests
# look for cargo's mark.
target_dir() {
    target_top=${CARGO_TARGET_DIR:-target}
    mkdir -p "$target_top/$1"
    [ -e "$target_top/CACHEDIR.TAG" ] || echo "Signature: 8a477f597d28d172789f06886806bc55" >"$target_top/CACHEDIR.TAG"
    (cd "$target_top/$1" && pwd)
}

# Names that a shared library exports, of any processor, sorted.
exported() {
    readelf -W --dyn-syms "$1" | awk '$5 == "GLOBAL" && !/ UND / && !/ ABS / { print $NF }' | LC_ALL=C sort
}

# Finds out whether commands can be run as root, before any is; asks for a password where one is due.
may_be_root() {
    [ "$(id -u)" != 0 ] && [ -z "${root_allowed:-}" ] || return 0
    command -v sudo >/dev/null || die "$1 needs root, and there is no sudo; run this as root"
    sudo true || die "$1 needs root, and sudo does not let $(id -un) run commands (above is what it says); run this as root, or as a user who may use sudo"
    root_allowed=yes
}

as_root() {
    may_be_root "\"$*\""
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# The NN of "rustc 1.NN.P ...", 0 where the command fails.
minor_of() {
    version=$("$@" --version 2>/dev/null | sed -n '1s/^[a-z]* 1\.\([0-9]*\)\..*/\1/p')
    echo "${version:-0}"
}

# Puts a directory with a new enough cargo and rustc first in PATH, if there is one.
find_rust() {
    given=$PATH
    # Ubuntu keeps versioned toolchains in /usr/lib/rust-1.NN/bin.
    # The last one counts where an older one, or a rustup without a toolchain, hides the distribution's.
    for bin in "" "${CARGO_HOME:-${HOME:-}/.cargo}/bin:" $(find /usr/lib -maxdepth 2 -path '/usr/lib/rust-1.*/bin' -printf '%p:\n' 2>/dev/null | sort -rV) /usr/bin:; do
        export PATH="$bin$given"
        if [ "$(minor_of cargo)" -ge $RUST_MINOR ] && [ "$(minor_of rustc)" -ge $RUST_MINOR ]; then
            return 0
        fi
    done
    export PATH="$given"
    return 1
}

# Minor version of the Rust that installing a package would give, 0 if there is no such package.
candidate() {
    version=$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([0-9]*:\)\{0,1\}1\.\([0-9]*\)\..*/\2/p')
    echo "${version:-0}"
}

# Packages of the first good toolchain the distribution has: its default one, Debian's for building
# browsers in stable releases, Ubuntu's newest versioned one. Says nothing if none is new enough.
rust_packages() {
    if [ "$(candidate rustc)" -ge $RUST_MINOR ] && [ "$(candidate cargo)" -ge $RUST_MINOR ]; then
        echo "rustc cargo"
    elif [ "$(candidate rustc-web)" -ge $RUST_MINOR ] && [ "$(candidate cargo-web)" -ge $RUST_MINOR ]; then
        echo "rustc-web cargo-web"
    else
        apt-cache search --names-only '^rustc-1\.[0-9]+$' | sed 's/^rustc-1\.\([0-9]*\) .*/\1/' | sort -rn |
            while read -r minor; do
                [ "$minor" -ge $RUST_MINOR ] || break
                if [ "$(candidate "cargo-1.$minor")" -ge $RUST_MINOR ]; then
                    echo "rustc-1.$minor cargo-1.$minor"
                    break
                fi
            done
    fi
}

# The package of this distribution that has rustfmt or clippy for the toolchain in use.
lint_packages() {
    if dpkg-query -W -f '${db:Status-Status}' rustc-web 2>/dev/null | grep -qx installed; then
        echo "rustfmt-web rust-web-clippy"
    elif versioned=$(command -v cargo | sed -n 's|^/usr/lib/rust-\(1\.[0-9]*\)/bin/cargo$|\1|p') && [ -n "$versioned" ]; then
        echo "rustfmt-$versioned rust-$versioned-clippy"
    else
        echo "rustfmt rust-clippy"
    fi
}

# Adds a package to $lacking unless the command or file that it would bring is there.
want() {
    command -v "$1" >/dev/null || [ -e "$1" ] || case " $lacking " in
    *" $2 "*) ;;
    *) lacking="$lacking $2" ;;
    esac
}

# What is missing, as package names of Debian and Ubuntu, in $lacking.
look() {
    lacking=
    want cc gcc
    want /usr/include/stdio.h libc6-dev
    # Cargo checks the certificate of the crate registry; Debian's does so with this file, whatever
    # SSL_CERT_FILE names.
    want /etc/ssl/certs/ca-certificates.crt ca-certificates
    for need in "$@"; do
        case $need in
        build) ;;
        test)
            want g++ g++
            want clang clang
            want clang++ clang
            # Makes the key that opendkim signs with.
            want openssl openssl
            # Run milters written in them, as Debian's bindings are made for these.
            want /usr/bin/python3 python3
            want pod2man perl
            # Port names of connection specifications.
            want /etc/services netbase
            # To read the symbols of libraries.
            want readelf binutils
            # Checks the manual pages.
            want mandoc mandoc
            # To count system calls and instructions of a filter; the benchmarks' test tries that.
            want strace strace
            want valgrind valgrind
            # Makes programs with more rights than their users.
            want /usr/sbin/setcap libcap2-bin
            ;;
        lint)
            want shellcheck shellcheck
            ;;
        abi)
            want abidiff abigail-tools
            want readelf binutils
            ;;
        cross)
            want qemu-aarch64-static qemu-user-static
            want musl-gcc musl-tools
            for machine in aarch64-linux-gnu/arm64 arm-linux-gnueabihf/armhf i686-linux-gnu/i386 \
                riscv64-linux-gnu/riscv64 s390x-linux-gnu/s390x powerpc64le-linux-gnu/ppc64el; do
                want "${machine%/*}-gcc" "gcc-${machine%/*}"
                want "/usr/${machine%/*}/lib/libc.a" "libc6-dev-${machine#*/}-cross"
            done
            ;;
        package)
            want make make
            want xz xz-utils
            want pkg-config pkg-config
            want readelf binutils
            # cargo-c is compiled with them.
            want /usr/include/openssl/ssl.h libssl-dev
            want debootstrap debootstrap
            want ip iproute2
            ;;
        *) die "setup: unknown need $need" ;;
        esac
    done
}

# Unattended upgrades may be at work: waits for them for a while, as a person would.
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

install_packages() {
    command -v apt-get >/dev/null ||
        die "this is not Debian or Ubuntu; install by hand what these packages have:$*"
    echo "Missing on this machine:$*"
    may_be_root "installing them"
    echo "Installing now: apt-get install$*"
    # Never remove a package to make room: which one to keep is not this script's decision.
    # shellcheck disable=SC2086,SC2048 # words are packages
    apt_get -o Dpkg::Use-Pty=0 install -y --no-install-recommends --no-remove $* ||
        die "apt-get could not install$*: what it says is above (E: ...)"
}

refresh_lists() {
    [ -z "${lists_fresh:-}" ] || return 0
    command -v apt-get >/dev/null || return 0
    may_be_root "apt-get update"
    echo "Fetching the package lists: apt-get update"
    if ! apt_get update; then
        # Often it is one foreign repository of many: the lists that are there may do.
        apt-cache show libc6 >/dev/null 2>&1 ||
            die "apt-get update failed, and there are no package lists from before; what it says is above (E: ...)"
        echo "apt-get update failed (what it says is above); going on with the package lists that are there" >&2
    fi
    lists_fresh=yes
}

# What the distribution's packages can do for a missing toolchain, in $lacking.
look_for_rust_package() {
    rust=
    ! command -v apt-cache >/dev/null || rust=$(rust_packages)
    [ -n "$rust" ] ||
        die "no Rust 1.$RUST_MINOR or newer on this machine nor in its distribution's packages; install one from https://rustup.rs and try again"
    lacking="$lacking $rust"
}

setup() {
    look "$@"
    if ! find_rust; then
        refresh_lists
        look_for_rust_package
    fi
    if [ -n "$lacking" ]; then
        refresh_lists
        install_packages "$lacking"
    fi
    find_rust || die "cargo and rustc are still not 1.$RUST_MINOR or newer:$lacking"
    case " $* " in
    *" test "*)
        # Only root can start Postfix; ask for the password now, not in the middle of the tests.
        may_be_root "starting mail servers for the tests"
        # The tests fetch packages (never install them), for which apt needs its lists.
        apt-cache show postfix >/dev/null 2>&1 || refresh_lists
        ;;
    esac
    case " $* " in
    *" lint "*)
        if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
            refresh_lists
            install_packages " $(lint_packages)"
        fi
        ;;
    esac
}
