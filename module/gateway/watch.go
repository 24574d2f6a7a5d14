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

// watch follows the handler's files until the returned function is called,
// which waits for both watchers to end.
func (h *Handler) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { h.clients.Watch(ctx, watchInterval, h.reloaded("clients")) })
	watchers.Go(func() { h.policy.Watch(ctx, watchInterval, h.reloaded("policy")) })
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
			return
		}
		h.logger.Info("changed file loaded", zap.String("files", files))
	}
}
