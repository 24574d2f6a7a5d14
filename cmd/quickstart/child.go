package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
	readyLine    = "ready"
	logTail      = 4 << 10
)

// server is what a hidden subcommand runs: it calls ready once it listens and
// returns when ctx has ended.
type server func(ctx context.Context, ready func()) error

// serveUnderParent runs a server until standard input closes. The parent holds the
// other end, so that its death, of whatever kind, ends the server. Ctrl-C in a
// terminal reaches parent and children alike and is left to the parent.
func serveUnderParent(serve server) int {
	signal.Ignore(os.Interrupt)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := serve(ctx, func() { fmt.Println(readyLine) }); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return exitOK
}

// child is a running hidden subcommand of this program.
type child struct {
	name     string
	cmd      *exec.Cmd
	lifeline io.Closer // its standard input
	log      string
	done     chan struct{} // closed when it has been waited for
}

// childSpec says how to start a child.
type childSpec struct {
	name string   // the hidden subcommand
	env  []string // added to this program's environment
	dir  string   // working directory
	log  string   // file for its standard error
}

// startChild starts a child and returns once it is ready. On failure nothing is
// left running and the end of its log is part of the error.
func startChild(ctx context.Context, s childSpec) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy

	ready := &announcement{heard: make(chan struct{})}
	cmd := exec.Command(self, s.name)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
	cmd.Stdout, cmd.Stderr = ready, log
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	c := &child{name: s.name, cmd: cmd, lifeline: lifeline, log: s.log, done: make(chan struct{})}
	go func() { // ends with the child
		defer close(c.done)
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	}()

	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case <-ready.heard:
		return c, nil
	case <-c.done:
		return nil, c.ended()
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = fmt.Errorf("%s: not ready after %s\n%s", s.name, startTimeout, c.tail())
	}
	c.stop()
	return nil, err
}

// stop ends the child and waits until it is gone. A child that does not end by
// itself is killed. Stopping twice is harmless.
func (c *child) stop() {
	_ = c.lifeline.Close()
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// ended is the error of a child that was not told to end.
func (c *child) ended() error {
	return fmt.Errorf("%s ended: %s\n%s", c.name, c.cmd.ProcessState, c.tail())
}

// tail is the end of the child's log.
func (c *child) tail() string {
	data, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(data[max(0, len(data)-logTail):]))
}

// announcement is a child's standard output: all that is wanted of it is the line
// that says it is ready.
type announcement struct {
	heard chan struct{}
	once  sync.Once
	line  []byte // the unfinished line, as far as it can still be the one
}

// Write implements io.Writer. It never fails.
func (a *announcement) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b != '\n':
			if len(a.line) <= len(readyLine) {
				a.line = append(a.line, b)
			}
			continue
		case string(a.line) == readyLine:
			a.once.Do(func() { close(a.heard) })
		}
		a.line = a.line[:0]
	}
	return len(p), nil
}
