package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second // until a child answers; generous for a busy machine
	stopTimeout  = 15 * time.Second // from the polite signal to the one that cannot be caught
	pollInterval = 20 * time.Millisecond
	outputTail   = 32 << 10
)

// Process is a running child with its own process group. Its methods may be
// called from several goroutines.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when the child has been waited for
}

// command says how to start a child and how to know that it is ready.
type command struct {
	path  string
	args  []string
	env   []string // the whole environment
	dir   string   // working directory; the log file lies here too
	ready func(context.Context) error
}

// start runs the child and returns once ready answers nil. On failure the
// child has been ended and its last output is part of the error.
func start(ctx context.Context, c command) (*Process, error) {
	log := filepath.Join(c.dir, filepath.Base(c.path)+".log")
	out, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("log of child: %w", err)
	}
	defer out.Close() // the child has its own copy

	cmd := exec.Command(c.path, c.args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.env, c.dir, out, out
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.path, err)
	}
	p := &Process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	if err := p.await(ctx, c.ready); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s is not ready: %w\n%s", c.path, err, p.Output())
	}
	return p, nil
}

func (p *Process) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended: %s", p.cmd.ProcessState)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// PID returns the process id of the child.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the child alone.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop ends the child and everything it started, and waits until it is gone.
// Stopping twice is harmless.
func (p *Process) Stop() {
	group := -p.cmd.Process.Pid
	select {
	case <-p.done:
		return
	default:
	}
	_ = syscall.Kill(group, syscall.SIGTERM)
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-p.done
	}
}

// Output returns the last 32 KiB of what the child wrote.
func (p *Process) Output() string {
	f, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > outputTail {
		_, _ = f.Seek(-outputTail, io.SeekEnd)
	}
	tail, err := io.ReadAll(io.LimitReader(f, outputTail))
	if err != nil {
		return err.Error()
	}
	return string(tail)
}
