package gateway

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// watchInterval is how often watched files are compared. A change is promised
// to be in force within 5 seconds, loading included.
const watchInterval = 2 * time.Second

// watchedPolicy names the policy and posture files in the log.
const watchedPolicy = "policy"

// watch follows the handler's files, and asks for newer bundles, until the returned
// function is called, which waits for all of it to end.
func (h *Handler) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { h.clients.Watch(ctx, watchInterval, h.reloaded("clients")) })
	if h.bundle != nil {
		watchers.Go(func() { h.bundle.Run(ctx) })
	}
	watchers.Go(func() { h.policy.Watch(ctx, watchInterval, h.reloaded(watchedPolicy)) })
	return func() {
		cancel()
		watchers.Wait()
	}
}

// reloaded logs the outcome of loading a changed file.
func (h *Handler) reloaded(files string) func(error) {
	return func(err error) {
		if err != nil {
			h.logger.Error("changed file is invalid; the last good state stays in force", zap.String("files", files), zap.Error(err))
			return // the error of a policy begins with the step that it did not pass
		}
		h.logger.Info("changed file loaded", zap.String("files", files))
		if files == watchedPolicy {
			h.logNotices()
			h.logWaivers()
		}
	}
}

// logNotices logs what is odd about the posture in force.
func (h *Handler) logNotices() {
	for _, n := range h.policy.Status().Notices {
		h.logger.Warn("posture: "+n.Text, zap.String("place", n.Place), zap.String("level", string(n.Level)))
	}
}
