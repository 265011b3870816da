# sallyport: `make help` lists what can be made.
# Objects go to $(B); a variant (VARIANT=asan) has a folder of its own beside it.

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=
LIBEXEC    ?= $(PREFIX)/libexec/sallyport
UNITDIR    ?= $(PREFIX)/lib/systemd/system
CC         := $(if $(filter default,$(origin CC)),gcc,$(CC))
VARIANT    ?= release
B          := build/$(VARIANT)
PYTHON     ?= /usr/bin/python3

PKGS_monitor = libcrypto libcap inih
PKGS_store   = sqlite3 libcap jansson libcrypto liboath
PKGS_files   =
PKGS_hash    = libcrypt libcap
PKGS_notify  = jansson libcap
PKGS_command = libcrypto libcap inih jansson libcrypt
PKGS_sftp    = libssh libcrypto
# Where there is a libssl.a, the workers of TLS hold OpenSSL themselves: see docs/speed.md. STATIC_TLS= : they do not.
STATIC_TLS  ?= $(if $(wildcard $(shell $(CC) -print-file-name=libssl.a)),1)
PKGS_ftps    = $(if $(STATIC_TLS),,libssl libcrypto)
PKGS_https   = $(PKGS_ftps) libqrencode
PKGS_test    = cmocka

# A line for each file that is made; V=1 shows the commands.
Q   := $(if $(V),,@)
SAY  = $(if $(V),,@echo '  $(1)')

WARNINGS  := -Wall -Wextra -Werror -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
CONTROL_x86_64  := -fcf-protection
CONTROL_aarch64 := -mbranch-protection=standard
HARDENING := -O2 -g -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 $(CONTROL_$(shell uname -m))
LINKING   := -pie -Wl,-z,relro,-z,now,-z,noexecstack
ifeq ($(VARIANT),asan)
HARDENING := -O1 -g -fPIE -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined \
             -DSALLYPORT_SANITIZE -DSALLYPORT_KEEP_STDERR
LINKING   := -pie -Wl,-z,relro,-z,now -fsanitize=address,undefined
endif
ifeq ($(VARIANT),fuzz)
CC        := clang
HARDENING := -O1 -g -fPIE -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LINKING   := -pie -fsanitize=fuzzer,address,undefined
endif
ifeq ($(VARIANT),budget)
HARDENING := -O0 -g -fno-inline -ffunction-sections -fdata-sections
endif
CPPFLAGS  := -std=c17 -D_GNU_SOURCE -I. -DSALLYPORT_LIBEXEC='"$(LIBEXEC)"' -DSALLYPORT_CONFIG='"$(SYSCONFDIR)/sallyport/sallyport.conf"'
CFLAGS    := $(HARDENING) $(WARNINGS)

# Programs: a folder each; what of common/ each links is named, so that none holds what it has no use for.
PROGRAMS := sallyportd sallyport-store sallyport-files sallyport-hash sallyport-notify sallyport-sftp sallyport-ftps sallyport-https sallyport

CONFIG  := common/config.c common/config_print.c common/config_mail.c common/mailing.c common/network.c
HOSTKEY := common/hostkey.c common/keyfile.c
TLSKEY  := common/certificate.c common/tls_files.c
SANDBOX := common/sandbox.c common/filters.c common/filter_program.c common/log.c common/message.c common/secret.c
SRC_sallyportd      := $(wildcard monitor/*.c) $(SANDBOX) $(CONFIG) common/spawn.c common/operations.c common/sshwire.c $(HOSTKEY) $(TLSKEY)
SRC_sallyport-store := $(wildcard monitor/store/*.c) $(SANDBOX) common/operations.c common/audit_chain.c common/sshwire.c common/utf8.c common/base64.c common/network.c
SRC_sallyport-files := $(wildcard monitor/files/*.c) $(SANDBOX) common/operations.c common/calendar.c
SRC_sallyport-hash  := $(wildcard monitor/hash/*.c) $(SANDBOX) common/password_rules.c common/utf8.c
SRC_sallyport-notify := $(wildcard monitor/notify/*.c) $(SANDBOX) $(addprefix common/,mailing.c base64.c utf8.c)
WORKER  := $(SANDBOX) $(addprefix common/,agent_file.c agent_link.c monitor_link.c calendar.c ls_line.c pace.c worker_life.c)
SRC_sallyport-sftp  := $(wildcard sftp-worker/*.c) $(WORKER) common/sshwire.c
SRC_sallyport-ftps  := $(wildcard ftps-worker/*.c) $(WORKER) common/sshwire.c common/tls.c common/tls_algorithms.c common/tls_provider.c
SRC_sallyport-https := $(wildcard https-worker/*.c) $(WORKER) $(addprefix common/,sshwire.c tls.c tls_algorithms.c tls_provider.c operations.c base64.c utf8.c sshkey.c)
SRC_sallyport       := $(wildcard monitor/command/*.c) common/message.c common/secret.c $(CONFIG) common/spawn.c \
                       common/operations.c common/log.c common/sshwire.c $(HOSTKEY) $(TLSKEY) common/sshkey.c common/audit_chain.c common/utf8.c $(addprefix monitor/notify/,draft.c facts.c template.c templates.c)
PKG_sallyportd      := $(PKGS_monitor)
PKG_sallyport-store := $(PKGS_store)
PKG_sallyport-files := $(PKGS_files)
PKG_sallyport-hash  := $(PKGS_hash)
PKG_sallyport-notify := $(PKGS_notify)
PKG_sallyport-sftp  := $(PKGS_sftp)
PKG_sallyport-ftps  := $(PKGS_ftps)
PKG_sallyport-https := $(PKGS_https)
# Of libarchive what zip files need, and no reader of formats, no XML: what is not there cannot be attacked,
# nor does it cost each connection its start.
LDLIBS_sallyport-https := $(B)/ui/ui_files.o -Wl,--gc-sections $(addprefix -l:,libarchive.a libz.a libnettle.a libjansson.a libcap.a)
# A process for each connection starts sooner without a library to map and bind for a function or two.
LDLIBS_sallyport-files := -l:libcap.a
LDLIBS_sallyport-sftp  := -l:libcap.a
LDLIBS_sallyport-ftps  := -l:libcap.a
# OpenSSL by itself needs others on some systems.
ifneq ($(STATIC_TLS),)
LIBS_openssl := -l:libssl.a -l:libcrypto.a $(filter-out -lssl -lcrypto,$(shell pkg-config --static --libs libssl))
LDLIBS_sallyport-https += $(LIBS_openssl)
LDLIBS_sallyport-ftps  += -Wl,--gc-sections $(LIBS_openssl)
endif
PKG_sallyport       := $(PKGS_command)

# Unit tests: each tests/unit/test_X.c is a program; what it links beside itself is named here
# (SRC_test_X := files, PKG_test_X := libraries; LDLIBS_test_X where pkg-config does not serve).
TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
SRC_test_config := $(CONFIG)
PKG_test_config := inih
SRC_test_hash   := common/message.c common/secret.c common/spawn.c common/password_rules.c common/utf8.c
PKG_test_hash   := libcrypt
STORE_TEST      := tests/unit/store_process.c common/message.c common/secret.c common/spawn.c common/audit_chain.c common/sshwire.c
SRC_test_store  := $(STORE_TEST)
SRC_test_store_life  := $(STORE_TEST)
SRC_test_store_audit := $(STORE_TEST)
SRC_test_store_web   := $(STORE_TEST)
SRC_test_store_own   := $(STORE_TEST) tests/unit/store_own.c common/base64.c
PKG_test_store_own   := sqlite3 jansson libcrypto liboath
SRC_test_store_clock := $(addprefix monitor/store/,accounts.c codes.c database.c folders.c holder.c links.c lost.c outbox.c own.c validate.c) \
                        $(addprefix common/,base64.c message.c network.c operations.c secret.c sshwire.c utf8.c)
PKG_test_store_clock := $(PKGS_store)
LDLIBS_test_store_clock := -Wl,--wrap=time
SRC_test_store_outbox := $(SRC_test_store_own)
PKG_test_store_outbox := sqlite3 jansson libcrypto
PKG_test_store  := sqlite3 jansson libcrypto
SRC_test_hostkey := $(HOSTKEY) common/sshwire.c
PKG_test_hostkey := libcrypto
SRC_test_tls_files := common/keyfile.c common/network.c $(TLSKEY)
PKG_test_tls_files := libcrypto
SRC_test_cert_input := monitor/command/cert_input.c common/network.c common/certificate.c
PKG_test_cert_input := libcrypto
SRC_test_store_audit := $(STORE_TEST) common/operations.c
PKG_test_store_audit := jansson libcrypto
SRC_test_files  := tests/unit/files_session.c common/message.c common/secret.c common/spawn.c
SRC_test_files_edges := $(SRC_test_files)
SRC_test_files_durable := $(SRC_test_files)
SRC_test_files_trash := $(SRC_test_files)
SRC_test_files_parts := $(SRC_test_files)
SRC_test_files_crash := $(SRC_test_files)
SRC_test_files_sets := $(SRC_test_files)
SRC_test_agent_link := common/agent_link.c common/message.c common/secret.c
SRC_test_sshkey := common/sshkey.c common/sshwire.c
PKG_test_sshkey := libcrypto
SFTP  := $(addprefix sftp-worker/,sftp.c requests.c requests_open.c extensions.c jobs.c handles.c attributes.c \
         answers.c) $(addprefix common/,agent_file.c agent_link.c calendar.c ls_line.c) common/message.c common/sshwire.c common/operations.c tests/unit/sftp_peer.c tests/unit/fake_agent.c
SRC_test_sftp := $(SFTP)
PKG_test_sftp := libcrypto
SRC_test_sftp_hostile := $(SFTP) common/sandbox.c common/filters.c common/filter_program.c common/log.c common/secret.c
PKG_test_sftp_hostile := libcrypto libcap
FTPS_TEXT := $(addprefix ftps-worker/,line.c path.c address.c wildcard.c ascii.c facts.c digest.c) common/calendar.c common/ls_line.c
FTPS  := $(FTPS_TEXT) $(addprefix ftps-worker/,verbs.c reply.c login.c about.c names.c attributes.c transfer.c list.c listing.c work.c) \
         $(addprefix common/,agent_file.c agent_link.c message.c operations.c pace.c) tests/unit/ftps_fake.c
SRC_test_ftps_text := $(FTPS_TEXT)
PKG_test_ftps_text := libcrypto
SRC_test_ftps := $(FTPS) tests/unit/fake_agent.c tests/unit/ftps_session.c
PKG_test_ftps := libcrypto
SRC_test_ftps_transfers := $(SRC_test_ftps)
PKG_test_ftps_transfers := libcrypto
HTTP_CORE := $(addprefix https-worker/,accept.c body.c conditions.c credentials.c digest_field.c disposition.c fields.c grammar.c \
             http_date.c json_out.c media_type.c multipart.c range.c request.c response.c target.c upload_metadata.c writer.c) \
             $(addprefix common/,base64.c calendar.c secret.c utf8.c)
SRC_test_http_request    := $(HTTP_CORE)
SRC_test_http_body       := $(HTTP_CORE)
SRC_test_http_conditions := $(HTTP_CORE)
SRC_test_http_fields     := $(HTTP_CORE)
SRC_test_http_response   := $(HTTP_CORE)
SRC_test_qr := $(HTTP_CORE) https-worker/qr.c
PKG_test_qr := libqrencode
PKG_test_store_life  := $(PKG_test_store)
PKG_test_store_audit := $(PKG_test_store)
PKG_test_store_web   := $(PKG_test_store)
SRC_test_sftp_agent := $(SFTP) tests/unit/files_session.c common/secret.c common/spawn.c
PKG_test_sftp_agent := libcrypto
SRC_test_mailing := common/mailing.c
NOTIFY_TEST := tests/unit/notify_process.c $(addprefix common/,message.c secret.c spawn.c)
SRC_test_notify := $(NOTIFY_TEST)
SRC_test_notify_life := $(NOTIFY_TEST)
SRC_test_notify_text := $(addprefix monitor/notify/,draft.c facts.c mail.c template.c) $(addprefix common/,mailing.c base64.c utf8.c)
PKG_test_notify_text := jansson
SRC_test_message := common/message.c
SRC_test_message_bare := common/message.c
SRC_test_wire   := common/sshwire.c common/secret.c common/operations.c common/log.c common/base64.c common/utf8.c
SRC_test_preimage := monitor/preimage.c common/sshwire.c tests/unit/exchange.c
SRC_test_closed := common/message.c
PKG_test_closed := libseccomp libcrypto
SRC_test_filters := common/sandbox.c common/filters.c common/filter_program.c
PKG_test_filters := libcap libseccomp
SRC_test_password_rules := common/password_rules.c common/utf8.c
SRC_test_limits := monitor/limits.c common/log.c common/network.c
SRC_test_web    := monitor/web.c monitor/tls_sessions.c common/message.c common/secret.c common/log.c
PKG_test_web    := libcrypto
SRC_test_sign   := monitor/sign.c $(SRC_test_preimage)
PKG_test_sign   := libcrypto
SRC_test_tls    := common/tls.c common/tls_algorithms.c common/log.c common/tls_provider.c common/monitor_link.c monitor/sign_tls.c common/message.c common/secret.c common/sshwire.c
PKG_test_tls    := libssl libcrypto

# The boundary under attack: `hostile` plays the workers, agents, stores and hashers of real servers,
# whose programs' folder has hostile-child in their place. Neither is installed.
HOSTILE := hostile hostile-child
SRC_hostile        := $(filter-out tests/hostile/child.c,$(wildcard tests/hostile/*.c)) common/message.c common/secret.c common/sshwire.c common/base64.c
PKG_hostile        := libcrypto libcrypt libseccomp jansson liboath
SRC_hostile-child  := tests/hostile/child.c

# Faults: the privileged side's programs, of the same objects as ever, linked with what makes one call
# fail at a time. They stand in a folder of their own and are not installed either.
FAULTED := sallyportd sallyport-store sallyport-files sallyport-hash
SHIM    := $(B)/tests/faults/shim.o

# Fuzz targets: each tests/fuzz/fuzz_X.c is a program with libFuzzer (VARIANT=fuzz), named as the unit tests are.
FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
SRC_fuzz_audit    := common/audit_chain.c
PKG_fuzz_audit    := jansson libcrypto
SRC_fuzz_config   := $(CONFIG)
PKG_fuzz_config   := inih
SRC_fuzz_dispatch := $(addprefix monitor/,dispatch.c auth.c own.c web.c tls_sessions.c sign.c sign_tls.c preimage.c session.c data.c limits.c listener.c store.c hashers.c host_keys.c) \
                     $(CONFIG) common/message.c common/secret.c common/log.c common/sshwire.c $(HOSTKEY) common/operations.c
SRC_fuzz_dispatch += $(addprefix tests/fuzz/,dispatch_model.c dispatch_ftps.c dispatch_https.c dispatch_own.c)
PKG_fuzz_dispatch := libcrypto inih
SRC_fuzz_ftps     := $(FTPS)
PKG_fuzz_ftps     := libcrypto
SRC_fuzz_http     := $(HTTP_CORE)
SRC_fuzz_message  := common/message.c
SRC_fuzz_password := common/password_rules.c common/utf8.c
SRC_fuzz_preimage := monitor/preimage.c common/sshwire.c
SRC_fuzz_report   := $(addprefix monitor/store/,source.c audit.c audit_line.c validate.c) \
                     $(addprefix common/,audit_chain.c message.c operations.c log.c utf8.c sshwire.c)
PKG_fuzz_report   := jansson libcrypto
SRC_fuzz_sftp     := $(filter-out tests/%,$(SFTP))
PKG_fuzz_sftp     := libcrypto
SRC_fuzz_sshkey   := common/sshkey.c common/sshwire.c
PKG_fuzz_sshkey   := libcrypto
SRC_fuzz_userauth := monitor/sign.c monitor/preimage.c common/sshwire.c
PKG_fuzz_userauth := libcrypto
SRC_fuzz_wire     := common/sshwire.c

.PHONY: all tests fuzzers objects help
all: $(PROGRAMS:%=$(B)/%)
tests: $(TESTS:%=$(B)/%) $(HOSTILE:%=$(B)/%)
fuzzers: $(FUZZ:%=$(B)/%)

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20
	@echo 'Variables: VARIANT=release|asan  CC=gcc|clang  PREFIX=$(PREFIX)  SYSCONFDIR=$(SYSCONFDIR)  DESTDIR=  T=one test  V=1'

define PROGRAM
OBJ_$(1) := $$(SRC_$(1):%.c=$(B)/%.o)
OBJECTS += $$(OBJ_$(1))
$(B)/$(1): $$(OBJ_$(1))
	$$(call SAY,ld $$@)
	$$(Q)$$(CC) $$(LINKING) -o $$@ $$(filter-out %ui_files.o,$$^) $$(LDLIBS_$(1)) $$(if $$(PKG_$(1)),$$$$(pkg-config --libs $$(PKG_$(1))))
-include $$(OBJ_$(1):.o=.d)
endef
$(foreach t,$(TESTS),$(eval SRC_$(t) += tests/unit/$(t).c)$(eval PKG_$(t) += $(PKGS_test)))
$(foreach f,$(FUZZ),$(eval SRC_$(f) += tests/fuzz/$(f).c))
$(foreach p,$(PROGRAMS) $(TESTS) $(HOSTILE) $(FUZZ),$(eval $(call PROGRAM,$(p))))
OBJECTS += $(SHIM)
objects: $(sort $(OBJECTS))

define FAULTED_PROGRAM
$(B)/faults/$(1): $$(OBJ_$(1)) $$(SHIM)
	@mkdir -p $$(@D)
	$$(call SAY,ld $$@)
	$$(Q)$$(CC) $$(LINKING) -rdynamic -o $$@ $$^ $$$$(pkg-config --libs $$(PKG_$(1))) $$(LDLIBS_$(1))
endef
$(foreach p,$(FAULTED),$(eval $(call FAULTED_PROGRAM,$(p))))
$(SHIM): CFLAGS += -fno-sanitize=all # it runs before the sanitizers are set up
-include $(SHIM:.o=.d)

# The page's files go into the worker as they are, and with gzip; one is made of the tables that judge passwords.
UI := $(sort $(wildcard https-worker/ui/*)) $(B)/ui/password_tables.js
$(B)/ui/password_tables.js: scripts/password-list common/password_rules.def common/common_words.def
	$(call SAY,list $@)
	@mkdir -p $(@D)
	$(Q)scripts/password-list >$@.new && mv $@.new $@
$(B)/ui/ui_files.S $(B)/ui/ui_files.inc &: $(UI) scripts/embed | build/deps-build
	$(call SAY,embed $(B)/ui)
	$(Q)scripts/embed $(B)/ui $(UI)
$(B)/ui/ui_files.o: $(B)/ui/ui_files.S
	$(Q)$(CC) -c -o $@ $<
$(B)/https-worker/static.o: $(B)/ui/ui_files.inc
$(B)/https-worker/static.o: CPPFLAGS += -I$(B)/ui
$(B)/sallyport-https: $(B)/ui/ui_files.o

# The texts of mails go into sallyport-notify as C strings.
MAILS := $(sort $(wildcard monitor/notify/templates/*.txt))
$(B)/notify/templates.inc: $(MAILS)
	@mkdir -p $(@D)
	$(call SAY,embed $@)
	$(Q)for f in $(MAILS); do \
	    echo "TEMPLATE(\"$$(basename $$f .txt)\","; sed 's/[\\"]/\\&/g; s/.*/    "&\\n"/' $$f; echo ')'; done >$@
$(B)/monitor/notify/templates.o: $(B)/notify/templates.inc
$(B)/monitor/notify/templates.o: CPPFLAGS += -I$(B)/notify

$(B)/%.o: %.c $(B)/flags | build/deps-build
	@mkdir -p $(@D)
	$(call SAY,cc $@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What is compiled in (paths, flags) is kept beside the objects: a change of it makes them anew.
# Two makes may look at once.
FLAGS := $(CC) $(CPPFLAGS) $(CFLAGS)
quote = '$(subst ','\'',$(1))'
.PHONY: always
$(B)/flags: always
	@mkdir -p $(@D); new=$@.$$$$; printf '%s\n' $(call quote,$(FLAGS)) >$$new; cmp -s $$new $@ && rm $$new || mv $$new $@

.PHONY: deps deps-test
deps: build/deps-build build/deps-test ## install the Debian packages that a build and the tests need
build/deps-%: scripts/packages scripts/deps
	@mkdir -p build
	@scripts/deps $*
	@touch $@

.PHONY: check unit e2e hostile faults mutate fuzz fuzz-check fuzz-seeds check-source format budget count boundary check-fresh check-trixie
check: build/deps-build ## build all variants, run every test, end with the totals
	@$(MAKE) --no-print-directory build/deps-test || echo 'check: goes on without what is missing'
	@MAKE='$(MAKE)' PYTHON='$(PYTHON)' scripts/check

unit: tests all ## run the unit tests (T=test_name for one; VARIANT=asan)
	@scripts/unit $(B) $(or $(T),$(TESTS))

e2e: all ## run the end-to-end tests (T=tests/e2e/test_x.py::test_y for some; VARIANT=asan)
	SALLYPORT_BUILD=$(CURDIR)/$(B) $(PYTHON) -B -m pytest -p no:cacheprovider $(PYTEST) $(or $(T),tests/e2e)

.PHONY: check-page check-axe
check-page: all $(B)/test_password_rules ## the page in Chromium, all of it (T=tests/page/test_x.py::test_y for some; VARIANT=asan)
	SALLYPORT_BUILD=$(CURDIR)/$(B) $(PYTHON) -B -m pytest -p no:cacheprovider $(PYTEST) $(or $(T),tests/page)

# axe-core is no Debian package; what is fetched stays in build/.
AXE := build/axe/package/axe.min.js
$(AXE):
	@mkdir -p build/axe
	cd build/axe && npm pack --silent axe-core@4.14.1 && tar xzf axe-core-4.14.1.tgz package/axe.min.js && touch package/axe.min.js
check-axe: $(AXE) ## axe-core at every station of a tour through the page (needs npm, and fetches it)
	@AXE=$(CURDIR)/$(AXE) $(MAKE) --no-print-directory check-page T=tests/page/test_tour.py

FUZZ_SECONDS ?= 60
fuzz: ## fuzz each parser for FUZZ_SECONDS; new inputs stay in build/fuzz/ (T=fuzz_wire for one)
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzzers
	@scripts/fuzz build/fuzz $(FUZZ_SECONDS) $(or $(T),$(FUZZ))
fuzz-check: ## each fuzz target over its checked-in inputs and for two seconds more
	@$(MAKE) --no-print-directory FUZZ_SECONDS=2 T='$(T)' fuzz
fuzz-seeds: ## write the checked-in inputs anew, after a change of messages or formats
	@$(PYTHON) -B tests/fuzz/seeds.py

# With the sanitizers every start takes long: messages are cut at every 10th byte, floods are shorter.
HOSTILE_OPTIONS := $(if $(filter asan,$(VARIANT)),-t 10 -f 2000 -n 200)
hostile: all $(HOSTILE:%=$(B)/%) ## the boundary under attack (O='-p matrix' for a part, -h for more; VARIANT=asan)
	@$(B)/hostile $(HOSTILE_OPTIONS) $(O) $(B) tests/hostile

faults: all $(FAULTED:%=$(B)/faults/%) ## each call of the privileged side that can fail made to, in turn (O='-t 20' for a sample, -h for more; VARIANT=asan)
	@$(PYTHON) -B tests/faults/run.py $(O) $(B)

# SAMPLE=1: a few, of another kind each time (SEED=N: the same ones); ONLY=text: those that it names.
mutate: all tests ## change each fact of the policy in turn: a test must notice each (SAMPLE=1, ONLY='a name', V=1)
	@CC='$(CC)' $(PYTHON) -B tests/mutate/mutate.py $(B) $(if $(SAMPLE)$(SEED),--sample) $(if $(SEED),--seed $(SEED)) \
	    $(if $(ONLY),--only '$(ONLY)') $(if $(JOBS),--jobs $(JOBS)) $(if $(V),--verbose)

check-source: ## rules of the house: sizes, banned functions, comments, layout
	@scripts/check-source

format: ## lay out all C sources
	clang-format -i $$(scripts/check-source --list)

budget: all ## count what has privilege, against the limits; brings README's table up to date
	@$(MAKE) --no-print-directory -s VARIANT=budget count
count: $(OBJ_sallyportd)
	@CC='$(CC)' CHECK='$(CHECK)' scripts/budget build/release $^

boundary: build/release/sallyportd ## bring the tables of docs/privilege-boundary.md up to date (CHECK=1: only look)
	@CHECK='$(CHECK)' scripts/boundary build/release

check-fresh: ## what a newcomer does, in a bare Debian 12 (needs root, mmdebstrap)
	@scripts/check-fresh bookworm
check-trixie: ## the same in a bare Debian 13
	@scripts/check-fresh trixie

.PHONY: demo demo-start demo-stop
demo: all ## build and run a server on a free port of this machine, until Ctrl-C
	@scripts/demo run $(B)
demo-start: all ## the same in the background; demo/env says where
	@scripts/demo start $(B)
demo-stop: ## end it
	@scripts/demo stop

.PHONY: bench-ftps
bench-ftps: all ## FTPS beside pure-ftpd, vsftpd and ProFTPD: ratios (needs root; FAST=1 for a look)
	$(PYTHON) -B tests/bench/ftps.py

.PHONY: bench-https
bench-https: all ## HTTPS beside nginx, lighttpd, Caddy and Apache: ratios (needs root; FAST=1 for a look)
	$(PYTHON) -B tests/bench/https.py

.PHONY: docs
docs: $(B)/sallyport ## manual pages, shell completion, example configuration: into build/
	@scripts/pages $(B) '$(SYSCONFDIR)'

.PHONY: install uninstall
install: all docs ## install under DESTDIR and PREFIX (SYSCONFDIR, LIBEXEC, UNITDIR)
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' LIBEXEC='$(LIBEXEC)' UNITDIR='$(UNITDIR)' \
	    scripts/install install $(B)
uninstall: ## remove what install put there; configuration, keys and accounts stay
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' LIBEXEC='$(LIBEXEC)' UNITDIR='$(UNITDIR)' \
	    scripts/install uninstall $(B)

.PHONY: clean
clean: ## remove what was built
	rm -rf build
