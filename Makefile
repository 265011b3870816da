# sallyport: `make help` lists what can be made.
# Objects go to $(B); a variant (VARIANT=asan) has a folder of its own beside it.

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=
LIBEXEC    ?= $(PREFIX)/libexec/sallyport
CC         ?= gcc
VARIANT    ?= release
B          := build/$(VARIANT)

PKGS_monitor = libcrypto libcap libseccomp inih
PKGS_store   = sqlite3 libcap libseccomp jansson libcrypto
PKGS_files   = libcap libseccomp
PKGS_hash    = libcrypt libcap libseccomp
PKGS_command = libcrypto libcap inih jansson libcrypt
PKGS_sftp    = libssh libcrypto libcap libseccomp
PKGS_test    = cmocka

WARNINGS  := -Wall -Wextra -Werror -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
HARDENING := -O2 -g -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 -fcf-protection
LINKING   := -pie -Wl,-z,relro,-z,now,-z,noexecstack
ifeq ($(VARIANT),asan)
HARDENING := -O1 -g -fPIE -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined \
             -DSALLYPORT_SANITIZE -DSALLYPORT_KEEP_STDERR
LINKING   := -pie -Wl,-z,relro,-z,now -fsanitize=address,undefined
endif
CPPFLAGS  := -std=c17 -D_GNU_SOURCE -I. -DSALLYPORT_LIBEXEC='"$(LIBEXEC)"' -DSALLYPORT_CONFIG='"$(SYSCONFDIR)/sallyport/sallyport.conf"'
CFLAGS    := $(HARDENING) $(WARNINGS)

# Programs: a folder each; what of common/ each links is named, so that none holds what it has no use for.
PROGRAMS := sallyportd sallyport-store sallyport-files sallyport-hash sallyport-sftp sallyport

SANDBOX := common/sandbox.c common/filters.c common/log.c common/message.c common/secret.c
SRC_sallyportd      := $(wildcard monitor/*.c) $(SANDBOX) common/config.c common/spawn.c common/operations.c common/sshwire.c
SRC_sallyport-store := $(wildcard monitor/store/*.c) $(SANDBOX) common/operations.c common/audit_chain.c common/sshwire.c
SRC_sallyport-files := $(wildcard monitor/files/*.c) $(SANDBOX) common/operations.c
SRC_sallyport-hash  := $(wildcard monitor/hash/*.c) $(SANDBOX)
SRC_sallyport-sftp  := $(wildcard sftp-worker/*.c) $(SANDBOX) common/sshwire.c
SRC_sallyport       := $(wildcard monitor/command/*.c) common/message.c common/secret.c common/config.c common/spawn.c \
                       common/operations.c common/log.c common/sshwire.c common/audit_chain.c
PKG_sallyportd      := $(PKGS_monitor)
PKG_sallyport-store := $(PKGS_store)
PKG_sallyport-files := $(PKGS_files)
PKG_sallyport-hash  := $(PKGS_hash)
PKG_sallyport-sftp  := $(PKGS_sftp)
PKG_sallyport       := $(PKGS_command)

.PHONY: all help
all: $(PROGRAMS:%=$(B)/%)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

define PROGRAM
OBJ_$(1) := $$(SRC_$(1):%.c=$(B)/%.o)
$(B)/$(1): $$(OBJ_$(1))
	$$(CC) $$(LINKING) -o $$@ $$^ $$$$(pkg-config --libs $$(PKG_$(1))) $$(LDLIBS_$(1))
-include $$(OBJ_$(1):.o=.d)
endef
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM,$(p))))

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

.PHONY: clean
clean: ## remove what was built
	rm -rf build
