# Sallyport. `make help` lists the targets.
#
#   SAN=1    build with AddressSanitizer and UndefinedBehaviorSanitizer, in build-san/
#   FUZZ=1   the same for the harnesses of t/fuzz, with clang, in build-fuzz/
#   PREFIX   where the suite lives (compiled in; default /opt/aspera/proxy)
#   DESTDIR  staging directory for `make install`
#   WERROR=1 a warning is an error, as in CI

PREFIX  ?= /opt/aspera/proxy
DESTDIR ?=
SYSCONFDIR ?= /etc
MANDIR  ?= /usr/share/man
UNITDIR ?= /usr/lib/systemd/system
DOCDIR  ?= /usr/share/doc/sallyport
# The one place that has the version, and its date.
VERSION := $(shell sed -n 's/^.. \([0-9][0-9a-z.+~]*\) [0-9-]*$$/\1/p' CHANGELOG.md | head -n 1)

# The tools, once: those that people run, and those that only tools run.
BIN     := aspshell ascmd asp-match asp-balance asp-dial asp-rules asp-reap asp-cp asp-forward asp-sessions \
           asperaproxy asperanoded asnodeadmin asp-adduser asp-deluser asuserdata asconfigurator
LIBEXEC := ascp_rproxy asp-pinhole asp-upstream asp-lease asp-name asp-redis
SCRIPTS := asp-check.sh
TOOLS   := $(BIN) $(LIBEXEC)
PAGES   := $(sort $(wildcard man/*.[1-8]))

# Debian packages: to build, to run, to make a package, and to test. INSTALL has the
# dnf names.
DEPS_BUILD := g++ make pkg-config libssh-dev libexpat1-dev libfmt-dev \
              libnetfilter-conntrack-dev libmnl-dev libsrt-gnutls-dev libssl-dev \
              nlohmann-json3-dev libnftables-dev libmicrohttpd-dev libgnutls28-dev libcrypt-dev \
              libcurl4-gnutls-dev libseccomp-dev
DEPS_RUN   := openssh-server openssh-client sudo iptables nftables conntrack iproute2 procps cron
DEPS_CLUSTER := keepalived conntrackd redis-server redis-sentinel redis-tools
DEPS_PACKAGE := dpkg-dev
DEPS_BENCH := libnginx-mod-stream nginx-light
DEPS_TEST  := clang-format clang-tidy doctest-dev python3 mandoc rsyslog tcpdump util-linux bsdutils mosh \
              logrotate e2fsprogs kmod rpm openssl curl systemd faketime redis-server xauth python3-paramiko
DEPS_FUZZ := clang llvm '?libclang-rt-dev'
# Where the release has them: another sudo; what util-linux had in itself until 2.42.
DEPS_TEST_MORE := '?sudo-rs' '?util-linux-extra'

# V=1 shows the commands.
Q := $(if $(V),,@)

# libsrt comes in two flavours; that of OpenSSL encrypts at a third of the speed.
LIB_SRT ?= -lsrt-gnutls
# GnuTLS as everything else here, so that no program loads two TLS libraries.
LIB_CURL ?= -lcurl-gnutls

BUILD := build
# Enough to debug for a backtrace with lines; all of it takes a third longer to compile.
CXXFLAGS ?= -O2 -g1
CXXFLAGS += -std=c++20 -Wall -Wextra -Wshadow $(if $(WERROR),-Werror)
# The same binary, wherever the tree lies.
CXXFLAGS += -ffile-prefix-map='$(subst ','\'',$(CURDIR))=.'
CPPFLAGS += -Ilib -DSALLYPORT_PREFIX='"$(PREFIX)"' -D_GLIBCXX_ASSERTIONS
LDLIBS   := -lssh $(LIB_SRT) -lcrypto -lnetfilter_conntrack -lmnl -lexpat -lfmt \
            -lmicrohttpd -lgnutls -lcrypt $(LIB_CURL) -lseccomp
HARDEN_CXX ?= -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection -D_FORTIFY_SOURCE=2
HARDEN_LD  := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack

# Each build tests its own code with the same unit tests, which are compiled once: not optimised,
# and without sanitizers, which would take longer there than in all the rest. So a sanitizer sees
# what the code does with memory, but has no red zones around a test's own literals and arrays.
UNIT_OBJ := $(patsubst %.cc,build/%.o,$(sort $(wildcard t/unit/*.cc)))
UNIT_CXXFLAGS := $(CXXFLAGS) $(HARDEN_CXX) -O0 -U_FORTIFY_SOURCE

ifdef SAN
BUILD := build-san
# Unoptimised, it is built in less than half the time; with the headers that most
# files include compiled once, in two thirds of that. A folder is one object (all.o), but
# for main.cc, so that what its files include is compiled once, too.
HEADERS := $(BUILD)/lib/base/precompiled.h.gch
WHOLE_FOLDERS := 1
CXXFLAGS += -O0 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS  += -fsanitize=address,undefined
else ifdef FUZZ
BUILD := build-fuzz
HEADERS := $(BUILD)/lib/base/precompiled.h.gch
FUZZ_CXX ?= clang++
override CXX := $(FUZZ_CXX)
FUZZ_SAN := address,undefined,float-cast-overflow
CXXFLAGS += -O1 -g1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -fno-sanitize-recover=all
LDFLAGS  += -fsanitize=fuzzer,$(FUZZ_SAN)
else
CXXFLAGS += $(HARDEN_CXX)
LDFLAGS  += $(HARDEN_LD)
endif

# objects FOLDER: one for each of its files, or all.o for all but main.cc.
files   = $(sort $(wildcard $(1)/*.cc))
parts   = $(if $(WHOLE_FOLDERS),$(filter %/main.cc,$(files)) $(patsubst %,$(1)/all.cc,$(firstword $(filter-out %/main.cc,$(files)))),$(files))
objects = $(patsubst %.cc,$(BUILD)/%.o,$(parts))
LIB_OBJ  := $(foreach folder,$(sort $(wildcard lib/*)),$(call objects,$(folder)))
tool_obj  = $(call objects,cmd/$(1))
# Tool-private code that has unit tests of its own: all but main.cc.
PRIVATE_OBJ := $(filter-out %/main.o,$(foreach t,$(TOOLS),$(call tool_obj,$(t))))

all: $(TOOLS:%=$(BUILD)/bin/%)

define tool_rule
$(BUILD)/bin/$(1): $(call tool_obj,$(1)) $(BUILD)/libsallyport.a
	@mkdir -p $$(@D)
	@echo '  LD  $$@'
	$$(Q)$$(CXX) $$(LDFLAGS) -o $$@ $$^ -Wl,--as-needed $$(LDLIBS)
endef
$(foreach t,$(TOOLS),$(eval $(call tool_rule,$(t))))

$(BUILD)/libsallyport.a: $(LIB_OBJ)
	@echo '  AR  $@'
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# What is tested comes first: of an inline function that both have, the linker takes the first.
$(BUILD)/unit-tests: $(PRIVATE_OBJ) $(LIB_OBJ) $(UNIT_OBJ)
	@echo '  LD  $@'
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ -Wl,--as-needed $(LDLIBS)

# The harnesses, and what they are linked with.
FUZZERS := $(filter-out main,$(patsubst t/fuzz/%.cc,%,$(sort $(wildcard t/fuzz/*.cc))))
fuzzers: $(FUZZERS:%=$(BUILD)/fuzz/%)

ifdef FUZZ
$(FUZZERS:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: $(BUILD)/t/fuzz/%.o $(BUILD)/fuzz/parsers.a
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ -Wl,--as-needed $(LDLIBS)

$(BUILD)/fuzz/parsers.a: $(patsubst %.cc,$(BUILD)/%.o,t/fuzz/main.cc $(shell t/fuzz/needs))
	@mkdir -p $(@D)
	@echo '  AR  $@'
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
endif

$(addprefix $(BUILD)/,lib/base/tool.o lib/base/all.o cmd/asperanoded/api.o cmd/asperanoded/all.o cmd/ascmd/main.o): private CPPFLAGS += -DSALLYPORT_VERSION='"$(VERSION)"'

$(BUILD)/%.o: %.cc $(HEADERS)
	@mkdir -p $(@D)
	@echo '  CXX $<'
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(HEADERS:%.gch=-include %) -MMD -MP -c -o $@ $<

$(UNIT_OBJ): build/%.o: %.cc
	@mkdir -p $(@D)
	@echo '  CXX $<'
	$(Q)$(CXX) $(CPPFLAGS) $(UNIT_CXXFLAGS) -MMD -MP -c -o $@ $<

# A folder in one; its directory changes when a file comes or goes. The warnings that are off are about
# names that two of its files share.
$(BUILD)/%/all.o: $(BUILD)/%/all.cc $(HEADERS)
	@echo '  CXX $*/*.cc'
	$(Q)$(CXX) -I. $(CPPFLAGS) $(CXXFLAGS) -Wno-shadow -Wno-subobject-linkage $(HEADERS:%.gch=-include %) -MMD -MP -c -o $@ $<

.PRECIOUS: $(BUILD)/%/all.cc
$(BUILD)/%/all.cc: %
	@mkdir -p $(@D)
	$(Q)printf '#include "%s"\n' $(filter-out %/main.cc,$(sort $(wildcard $</*.cc))) > $@

$(BUILD)/lib/base/precompiled.h.gch: lib/base/precompiled.h
	@mkdir -p $(@D)
	@echo '  CXX $<'
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -x c++-header -c -o $@ $<

ifneq ($(MAKECMDGOALS),install)
-include $(sort $(shell find $(BUILD) build/t/unit -name '*.d' -type f 2>/dev/null))
endif

help:
	@echo 'make            build'
	@echo 'make deps       install the packages that are missing (apt)'
	@echo 'make demo       a transfer across a DMZ made of network namespaces (root)'
	@echo 'make cluster    the stories of several proxies that act as one (root)'
	@echo 'make demo-cluster   a proxy dies during a transfer, another goes on (root)'
	@echo 'make check      the tests, installing what they need (root)'
	@echo 'make check-all  and those that take long, or tell the same in another way (root)'
	@echo 'make unit contract e2e lint   the parts of check, each alone'
	@echo 'make test T=t/e2e/keys.t      some tests, a story each; T=unit CASE=NAME, some unit tests'
	@echo 'make lean       tests on machines that are unlike this one, ROWS= T= (root)'
	@echo 'make check-vm   stories on a virtual machine with Debian'"'"'s own kernel (root; slow)'
	@echo 'make on RELEASE=trixie        check on a fresh Debian of that release (root);'
	@echo '                              another target with DO=, as DO=demo'
	@echo 'make fuzz       each parser of foreign bytes fed at random, for SECONDS=20; ONLY=status'
	@echo 'make mutants    faults put into the code, one at a time: does a test see each? ONLY= (root; hours)'
	@echo 'make soak       sessions at random, some killed, for 3 minutes (root)'
	@echo 'make bench      what it costs, beside its rivals; ROWS= JSON= (root)'
	@echo 'make lab-shell  a shell on each host of the lab (root)'
	@echo 'make install    DESTDIR= PREFIX=; make uninstall removes it again'
	@echo 'make deb        a Debian package in $(BUILD)/'
	@echo 'make clean'

# Installs only what is missing, starts no service, and needs no network when
# everything is there.
deps:
	@t/lib/install-packages $(DEPS_BUILD) $(DEPS_RUN) $(DEPS_PACKAGE) $(DEPS_TEST) $(DEPS_TEST_MORE)

deps-cluster:
	@t/lib/install-packages $(DEPS_CLUSTER)

# Programs that manage a firewall: for hosts of the lab, never for this machine.
deps-hosts:
	@t/lib/keep-packages ufw firewalld iptables-persistent

deps-fuzz:
	@t/lib/install-packages $(DEPS_FUZZ)

# Stories that are told once more with forwarding_type nftables: these, and in `make check-all` all of these.
NFT_STORIES := $(patsubst %,nftables:t/e2e/%.t,pinhole death)
NFT_STORIES_MORE := $(patsubst %,nftables:t/e2e/%.t,forged reap bind kept-ports linger sessions)
# And with another sudo, where there is one: `deps` may just have installed it.
SUDO_STORIES = $(if $(shell command -v sudo-rs),$(patsubst %,sudo-rs:t/e2e/%.t,sudo))
SUDO_STORIES_MORE = $(if $(shell command -v sudo-rs),$(patsubst %,sudo-rs:t/e2e/%.t,bridge death keys limits sessions setup forward-lease))

# What tells in full what others tell in short: `make check-all` alone runs it.
LONG := $(patsubst %,t/hosts/%.t,one-truth sshd managers install-hand install-live install-original) \
        $(patsubst %,t/cluster/%.t,cluster-leases cluster-balancer cluster-marks) \
        $(patsubst %,t/e2e/%.t,asp-check ambiguity balance border doctor-forward doctor-users families forged forward-load \
                               older-rules reuse same-port setup-forward setup-original soak switched)
STORIES := $(filter-out $(LONG),$(sort $(wildcard t/hosts/*.t t/field/*.t t/e2e/*.t)))

lint:
	@t/lib/run-tests t/lint/*.t

unit: $(BUILD)/unit-tests
	@BUILD=$(BUILD) t/lib/run-tests t/unit/unit.t

contract: all
	@BUILD=$(BUILD) t/lib/run-tests t/contract/*.t

unit-contract: all $(BUILD)/unit-tests
	@BUILD=$(BUILD) t/lib/run-tests t/unit/unit.t t/contract/*.t

e2e: all
	@BUILD=$(BUILD) t/lib/run-tests $(STORIES) $(NFT_STORIES) $(SUDO_STORIES)

soak: all
	@BUILD=$(BUILD) SOAK_SECONDS=180 t/lib/run-tests t/e2e/soak.t

# What is found between the runs stays in build-fuzz/; t/fuzz/keep puts the best of it into
# t/fuzz/corpus/.
fuzz: deps deps-fuzz
	@$(MAKE) --no-print-directory FUZZ=1 fuzzers
	@t/fuzz/run $(or $(SECONDS),20) $(or $(ONLY),$(FUZZERS))

CHECK = t/lint/*.t t/unit/unit.t t/contract/*.t $(filter-out $(LONG),$(wildcard t/cluster/*.t)) $(STORIES) $(NFT_STORIES) $(SUDO_STORIES)

check: deps deps-cluster deps-hosts
	@$(MAKE) --no-print-directory all $(BUILD)/unit-tests
	@BUILD=$(BUILD) t/lib/run-tests $(CHECK)

check-all: deps deps-cluster deps-hosts
	@$(MAKE) --no-print-directory all $(BUILD)/unit-tests
	@BUILD=$(BUILD) t/lib/run-tests $(CHECK) $(LONG) $(NFT_STORIES_MORE) $(SUDO_STORIES_MORE)

# Some of the tests: make test T='t/e2e/keys.t nftables:t/e2e/death.t', or unit tests
# by their names: make test T=unit CASE='known_hosts*'.
test: deps deps-cluster deps-hosts
	$(if $(and $(CASE),$(filter-out unit t/unit/unit.t,$(T))),$(error CASE= is for T=unit; elsewhere each story is a file))
	@$(MAKE) --no-print-directory all $(BUILD)/unit-tests
	@BUILD=$(BUILD) CASE='$(CASE)' t/lib/run-tests $(patsubst unit,t/unit/unit.t,$(T))

# Tests on a machine that is changed in one way, and then in the next: make lean
# ROWS='fresh blank' T=t/e2e/keys.t. t/hosts/lean lists the rows.
lean: deps deps-cluster
	@$(MAKE) --no-print-directory all $(BUILD)/unit-tests
	@BUILD=$(BUILD) t/hosts/lean $(or $(ROWS),all) -- \
	  $(or $(T),$(filter-out t/lint/tidy.t,$(wildcard t/lint/*.t)) t/unit/unit.t t/contract/*.t $(patsubst %,t/e2e/%.t,lab transfer forward-lease package))

# On a virtual machine with Debian's own kernel, which is emulated: it takes long (root).
check-vm: deps
	@$(MAKE) --no-print-directory all $(BUILD)/unit-tests deb
	@BUILD=$(BUILD) TEST_JOBS=1 t/lib/run-tests $(or $(T),t/vm/*.t)

# Does a test see it, if somebody breaks the code? ONLY='NAME...' of t/mutants/list (root; hours).
mutants: deps deps-cluster
	@$(MAKE) --no-print-directory all $(BUILD)/unit-tests
	@t/mutants/run $(ONLY)

# A target on a fresh machine of another Debian release (root).
DO ?= check
on:
	@t/lib/on-release $(RELEASE) $(DO)

demo: deps
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) t/lib/demo

cluster: deps deps-cluster
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) t/lib/run-tests t/cluster/*.t

demo-cluster: deps deps-cluster
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) t/lib/demo-cluster

$(BUILD)/bench/traffic: $(BUILD)/t/bench/traffic.o $(BUILD)/libsallyport.a
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ -Wl,--as-needed $(LDLIBS)

# ROWS=... runs some of them; JSON=FILE writes them there, too.
bench: deps
	@t/lib/install-packages $(DEPS_BENCH)
	@$(MAKE) --no-print-directory all $(BUILD)/bench/traffic
	@BUILD=$(BUILD) t/bench/bench $(if $(JSON),--json -) $(ROWS) $(if $(JSON),> $(JSON))

lab-shell: all
	@BUILD=$(BUILD) t/lib/lab-shell

# A configuration that is there already is never overwritten. The samples for
# sshd, logrotate and rsyslog are only laid down: INSTALL says how to put them
# in force. known_hosts is data of the host: with DESTDIR it is left out, so that
# no copy empties one; and so is what the host's sudo is to leave alone, which its
# own visudo decides. A program that its user cannot read is closed to other
# processes of his from its first instruction on (ptrace(2)): asp-dial holds keys,
# asp-redis a password.
D = $(DESTDIR)$(PREFIX)
UNITS := asperaproxy.service asperanoded.service asp-lease.socket asp-lease@.service \
         asp-name.socket asp-name@.service asp-redis.socket asp-redis@.service
INIT = $(DESTDIR)$(SYSCONFDIR)/init.d/asperaproxy
install:
	install -d $(addprefix $(D)/,bin libexec share etc/ssh_keys etc/sshd_config.d etc/logrotate.d etc/rsyslog.d etc/balancer) \
	  $(addprefix $(DESTDIR),/usr/bin /usr/sbin $(UNITDIR) $(DOCDIR) $(addprefix $(SYSCONFDIR)/,cron.d sysctl.d modules-load.d init.d))
	install -m 755 etc/cluster/balancer $(D)/etc/balancer/balancer
	install -m 755 $(BIN:%=$(BUILD)/bin/%) $(D)/bin/
	install -m 755 $(LIBEXEC:%=$(BUILD)/bin/%) $(D)/libexec/
	chmod 711 $(D)/bin/asp-dial $(D)/libexec/asp-redis
	for script in $(SCRIPTS); do \
	  sed 's|/opt/aspera/proxy|$(PREFIX)|g' cmd/$${script%.sh}/$$script > $(D)/bin/.$$script.new && \
	  chmod 755 $(D)/bin/.$$script.new && mv -f $(D)/bin/.$$script.new $(D)/bin/$$script || exit; \
	done
	[ -e $(D)/etc/aspera.conf ] || install -m 644 etc/aspera.conf $(D)/etc/aspera.conf
	[ -n "$(DESTDIR)" ] || [ -e $(D)/etc/known_hosts ] || install -m 644 /dev/null $(D)/etc/known_hosts
	sed 's|/opt/aspera/proxy|$(PREFIX)|g' etc/sshd_config.d/sallyport.conf > $(D)/etc/sshd_config.d/sallyport.conf
	sed 's|/opt/aspera/proxy|$(PREFIX)|g' etc/logrotate.d/sallyport > $(D)/etc/logrotate.d/sallyport
	install -m 644 etc/rsyslog.d/sallyport.conf $(D)/etc/rsyslog.d/sallyport.conf
	ln -sfn $(PREFIX)/bin/aspshell $(DESTDIR)/usr/bin/aspshell
	ln -sfn $(PREFIX)/bin/asperaproxy $(DESTDIR)/usr/sbin/asperaproxy
	install -d -m 750 $(DESTDIR)$(SYSCONFDIR)/sudoers.d
	sed 's|/opt/aspera/proxy|$(PREFIX)|g' sudoers.d/sallyport > $(DESTDIR)$(SYSCONFDIR)/sudoers.d/.sallyport.new
	chmod 440 $(DESTDIR)$(SYSCONFDIR)/sudoers.d/.sallyport.new
	mv -f $(DESTDIR)$(SYSCONFDIR)/sudoers.d/.sallyport.new $(DESTDIR)$(SYSCONFDIR)/sudoers.d/sallyport
	[ -n "$(DESTDIR)" ] || $(D)/bin/asperaproxy sudoers
	sed 's|/opt/aspera/proxy|$(PREFIX)|g' etc/cron.d/sallyport > $(DESTDIR)$(SYSCONFDIR)/cron.d/sallyport
	chmod 644 $(DESTDIR)$(SYSCONFDIR)/cron.d/sallyport
	install -m 644 etc/sysctl.d/sallyport.conf $(DESTDIR)$(SYSCONFDIR)/sysctl.d/sallyport.conf
	install -m 644 etc/modules-load.d/sallyport.conf $(DESTDIR)$(SYSCONFDIR)/modules-load.d/sallyport.conf
	install -m 644 $(UNITS:%=etc/systemd/%) $(DESTDIR)$(UNITDIR)/
	sed -i 's|/opt/aspera/proxy|$(PREFIX)|g' $(UNITS:%=$(DESTDIR)$(UNITDIR)/%)
	install -m 644 etc/node-api.openapi.yaml $(D)/share/
	sed 's|/opt/aspera/proxy|$(PREFIX)|g' etc/init.d/asperaproxy > $(INIT)
	chmod 755 $(INIT)
	for section in $(patsubst .%,%,$(sort $(suffix $(PAGES)))); do \
	  install -D -m 644 -t $(DESTDIR)$(MANDIR)/man$$section man/*.$$section || exit; \
	done
	install -m 644 INSTALL CHANGELOG.md etc/packaging/copyright $(DESTDIR)$(DOCDIR)/

# Keeps what an administrator wrote: aspera.conf, known_hosts, the users, the keys.
uninstall:
	rm -f $(BIN:%=$(D)/bin/%) $(SCRIPTS:%=$(D)/bin/%) $(LIBEXEC:%=$(D)/libexec/%)
	rm -f $(D)/etc/sshd_config.d/sallyport.conf $(D)/etc/logrotate.d/sallyport $(D)/etc/rsyslog.d/sallyport.conf
	rm -f $(D)/etc/balancer/balancer
	rm -f $(DESTDIR)/usr/bin/aspshell $(DESTDIR)/usr/sbin/asperaproxy $(DESTDIR)$(SYSCONFDIR)/sudoers.d/sallyport $(DESTDIR)$(SYSCONFDIR)/sudoers.d/zz-sallyport
	rm -f $(DESTDIR)$(SYSCONFDIR)/cron.d/sallyport $(DESTDIR)$(SYSCONFDIR)/sysctl.d/sallyport.conf $(DESTDIR)$(SYSCONFDIR)/modules-load.d/sallyport.conf
	rm -f $(UNITS:%=$(DESTDIR)$(UNITDIR)/%) $(INIT) $(D)/share/node-api.openapi.yaml
	for page in $(PAGES); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done
	rm -f $(addprefix $(DESTDIR)$(DOCDIR)/,INSTALL CHANGELOG.md copyright)
	rmdir $(DESTDIR)$(DOCDIR) 2>/dev/null || true
	rmdir $(D)/etc/balancer $(D)/bin $(D)/libexec $(D)/share $(D)/etc/sshd_config.d $(D)/etc/logrotate.d $(D)/etc/rsyslog.d $(D)/etc/ssh_keys $(D)/etc $(D) 2>/dev/null || true

# DEB_DIR is where the package goes; what it is made of lies in DEB_DIR/deb, as
# dpkg's tools want it.
DEB_DIR ?= $(BUILD)
deb: all
	$(Q)rm -rf $(DEB_DIR)/deb && mkdir -p $(DEB_DIR)/deb
	$(Q)umask 022 && $(MAKE) --no-print-directory install DESTDIR=$(DEB_DIR)/deb/debian/sallyport > $(DEB_DIR)/deb/install.log
	$(Q)PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) etc/packaging/deb/build $(DEB_DIR)/deb $(VERSION) $(DEPS_RUN)

clean:
	rm -rf build build-san build-fuzz

.PHONY: all help deps deps-cluster deps-hosts deps-fuzz fuzz fuzzers lint unit contract unit-contract e2e soak check check-all check-vm test lean mutants on cluster demo demo-cluster bench lab-shell install uninstall deb clean
.DELETE_ON_ERROR:
