# gocyrus: see README.md. Needs Go and make; everything else is in the module.

VERSION  ?= 0.1.0
PREFIX   ?= /usr
DESTDIR  ?=
LIBEXEC   = $(PREFIX)/lib/cyrus/bin
BIN       = bin
GOFLAGS_  = -trimpath -ldflags '-s -w -X gocyrus/libcyrus/version.Version=$(VERSION)'
DAEMONS   = master imapd pop3d lmtpd timsieved notifyd smmapd cyrusdbd deliver davindex
# Admin commands: links to the program cyrus, named as Cyrus names them.
COMMANDS  = $(shell cat tools/commands.txt)
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

export CGO_ENABLED ?= 0

.PHONY: all build run test model soak mta test-reference lint bench fuzz install clean docs

all: build

# All programs go flat into bin/, beside each other: master looks there.
build:
	@mkdir -p $(BIN)
	go build $(GOFLAGS_) -o $(BIN)/ $(addprefix ./,$(DAEMONS))
	go build $(GOFLAGS_) -o $(BIN)/cyrus ./tools
	@for c in $(COMMANDS); do ln -sf cyrus $(BIN)/$$c; done

# A working server with demo accounts, in the foreground until ^C.
run: build
	go run ./test/run

# RACE=-race as CI does; needs cgo and a C compiler. The programs under test are
# those that were just built: building them again with another CGO_ENABLED would
# replace them while other tests run them. A program with the race detector
# sleeps before it ends, by default for a second.
test: build
	CGO_ENABLED=$(if $(RACE),1,0) BINDIR=$(CURDIR)/$(BIN) GORACE=atexit_sleep_ms=100 go test $(RACE) -shuffle=on -timeout 9m ./...

# Against the real Cyrus: installs Debian's packages, needs root.
test-reference: build
	test/bin/reference-server install
	test/bin/clients install
	go test -tags reference -timeout 40m -p 1 ./...

# Clients in several processes against a model of the mailboxes, ROUNDS commands
# each; SEED=n makes the same choices again (it is printed).
ROUNDS ?= 10000
SEED ?= 0
model: build
	go test ./test/model -timeout 60m -v -args -rounds $(ROUNDS) -seed $(SEED)
	go test ./test/model -timeout 60m -v -args -rounds $(ROUNDS) -seed $(SEED) -shared

# Ours and the real Cyrus on one spool for TIME, with writers on both.
TIME ?= 30m
soak: build
	test/bin/reference-server install
	SOAK=$(TIME) go test -tags reference -timeout 0 -v -run 'TestBothAtOnce$$' ./test/reference

# Real mail transports deliver MAILS mails while workers are killed.
MAILS ?= 10000
mta: build
	test/bin/reference-server install
	MTA_MAILS=$(MAILS) go test -tags reference -timeout 0 -v -run 'TestPostfix|TestExim' ./test/reference

lint:
	@files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt would change these:" $$files >&2; exit 1; }
	go vet ./...
	go vet -tags reference ./...
	go run $(STATICCHECK) ./...

# The same load on ours, on Cyrus and on Dovecot, side by side; needs root.
bench: build
	test/bin/reference-server install
	go run ./test/bench

# Each fuzz target for FUZZTIME.
FUZZTIME ?= 30s
fuzz:
	test/bin/fuzz $(FUZZTIME)

# Debian's layout.
install: build
	install -d $(DESTDIR)$(LIBEXEC) $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/doc/gocyrus/examples
	install -m 755 $(addprefix $(BIN)/,$(DAEMONS)) $(BIN)/cyrus $(DESTDIR)$(LIBEXEC)
	install -m 755 etc/cyr_cd.sh $(DESTDIR)$(LIBEXEC)
	for c in $(COMMANDS); do ln -sf cyrus $(DESTDIR)$(LIBEXEC)/$$c; done
	ln -sf ../lib/cyrus/bin/cyrus $(DESTDIR)$(PREFIX)/sbin/cyrus
	ln -sf ../lib/cyrus/bin/master $(DESTDIR)$(PREFIX)/sbin/cyrmaster
	ln -sf ../lib/cyrus/bin/deliver $(DESTDIR)$(PREFIX)/sbin/cyrdeliver
	for s in 1 5 8; do for m in docs/man/*.$$s; do [ ! -e $$m ] || install -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$$s; done; done
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 644 etc/*.service $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 644 etc/*.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/cyrus.conf
	install -m 644 etc/*.conf etc/*.toml README.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/gocyrus/examples

docs:
	go run ./tools/mkdocs

clean:
	rm -rf $(BIN)
