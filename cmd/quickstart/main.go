// Command quickstart shows what the gateway does, on a machine with nothing but Go:
//
//	go run ./cmd/quickstart
//
// It starts a real S3 store and the gateway in front of it, sends a few requests
// through the gateway with the AWS SDK, and prints for each what the client asked,
// what policy decided and what the store was sent. Then it stays up for other
// clients until it is interrupted.
//
// The store is versitygw, which is linked into this program and no other. Store and
// gateway run as children of this program, which is their binary too: each listens
// on loopback only and ends when the pipe from its parent closes, however that
// happens.
//
// Exit status: 0 all went as shown; 1 something did not; 2 the command line is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitOK = iota
	exitFailed
	exitUsage
)

func main() {
	if len(os.Args) > 1 {
		if serve, ok := servers[os.Args[1]]; ok {
			os.Exit(serveUnderParent(serve))
		}
	}
	os.Exit(run(os.Args[1:]))
}

// servers are the hidden subcommands this program starts itself with.
var servers = map[string]server{
	"serve-store":   serveStore,
	"serve-gateway": serveGateway,
}

func run(args []string) int {
	o, err := parseOptions(args, os.Stderr, os.Getenv)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once

	err = demonstrate(ctx, o, newPrinter(os.Stdout))
	if err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil && !o.check {
		return exitOK
	}
	fmt.Fprintln(os.Stderr, "quickstart:", err)
	return exitFailed
}

// demonstrate brings everything up, takes the tour, and, unless it is only to be
// checked, stays until ctx ends. Whatever it started has ended when it returns.
func demonstrate(ctx context.Context, o options, p *printer) (err error) {
	w, err := openWorkspace(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()

	up, err := bringUp(ctx, o, w)
	if err != nil {
		return err
	}
	defer up.stop()
	p.opening(o, w, up)

	t := newTour(o, w, up)
	if err := t.openBucket(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.cleanUp(ctx)) }()
	if !o.own() {
		if err := t.take(ctx, p); err != nil {
			return err
		}
	}
	if o.check && o.own() {
		p.line("Store and gateway have started with this policy.")
		return nil
	}
	if o.check {
		return p.verdict()
	}
	p.invitation(o, w, up)
	return up.wait(ctx)
}
